#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <system_error>

#include "protocol/turn/socket_ref.hpp"
#include "server/file_descriptor.hpp"

namespace yuelao::server {

// What a shard sleeps on: one level-triggered epoll with all its sockets, and a bell that
// other threads ring. Sockets stay in it from their first to their last moment, so that a
// round costs one epoll_wait(2) however many of them are ready.
class Poller {
 public:
  struct Event {
    turn::SocketRef ref;
    bool readable;  // or at its end, or with an error: reading tells
    bool writable;
  };
  enum class Interest : std::uint8_t { read, read_and_write };

  // Errors are thrown as std::system_error: without a poller there is no shard.
  Poller();

  // A socket leaves by being closed.
  std::error_code add(int descriptor, turn::SocketRef ref);
  // For a socket that was added.
  void watch(int descriptor, turn::SocketRef ref, Interest interest);

  // The sockets that are ready, at most a round's worth; the others come next round. Sleeps
  // until there is one, the bell rings, or the time is up. A socket may have been closed
  // since, and its number used again: the generation tells. The span lives until the next call.
  std::span<const Event> wait(std::chrono::milliseconds at_most);
  // Whether the bell was rung before the last wait() returned.
  bool rung() const { return rung_; }
  // From any thread.
  void ring();

 private:
  static constexpr std::size_t round_limit = 128;

  FileDescriptor epoll_;
  FileDescriptor bell_;
  bool rung_ = false;
  std::array<epoll_event, round_limit> events_{};
  std::array<Event, round_limit> ready_{};
};

}  // namespace yuelao::server

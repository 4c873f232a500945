#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

#include "config/config.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "server/datagram_pool.hpp"

namespace yuelao::server {

// What a shard sleeps on: all its sockets, and a bell that other threads ring. Sockets stay in
// it from their first to their last moment, so that a round costs one wait however many of them
// are ready. There are two kinds:
//
// An EpollPoller tells which sockets are ready; receiving and sending are the shard's.
// A RingPoller also receives by itself what comes to UDP sockets, and takes messages to send:
// both cost one system call a round together, its wait().
class Poller {
 public:
  struct Event {
    turn::SocketRef ref;
    bool readable;  // or at its end, or with an error: reading tells
    bool writable;
    // What was received already. Lives as long as its payload; null: the socket is to be read.
    RawMessage* message = nullptr;
    // A call failed on the UDP socket, as it does where ICMP errors wait (UdpSocket).
    bool failed = false;
    // Nothing more is heard of the UDP socket until rearm().
    bool disarmed = false;
  };
  enum class Interest : std::uint8_t { none, read, write, read_and_write };
  // A message that was posted and did not leave.
  struct Failure {
    std::uint32_t tag;
    int error;  // an errno
  };

  Poller() = default;
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  virtual ~Poller() = default;

  // For the log.
  virtual std::string_view name() const = 0;

  // On the thread that is to wait, before and after it does. After end() no socket is in use by
  // the kernel any more.
  virtual void begin() {}
  virtual void end() {}

  // What needs no begin(): from then on, on the thread that waits.
  virtual std::error_code add(int descriptor, turn::SocketRef ref) = 0;
  // Before a UDP socket is closed. Others leave by being closed.
  virtual void remove(turn::SocketRef) {}
  // For every other socket, whether it is in the poller or not; with Interest::none it is not, and
  // nothing is heard of it. Errors: of one that was not.
  virtual std::error_code watch(int descriptor, turn::SocketRef ref, Interest interest) = 0;
  // For a UDP socket that was disarmed. None of its ICMP errors may be waiting: they would keep
  // the kernel busy.
  virtual void rearm(int /*descriptor*/, turn::SocketRef) {}

  // The sockets that are ready, at most a round's worth; the others come next round. Sleeps
  // until there is one, the bell rings, or the time is up. A socket may have been closed
  // since, and its number used again: the generation tells. The span lives until the next call.
  virtual std::span<const Event> wait(std::chrono::milliseconds at_most) = 0;
  // Messages of events from before the last wait() are not needed any more.
  virtual void release() {}
  // Whether the bell was rung before the last wait() returned.
  virtual bool rung() const = 0;
  // From any thread.
  virtual void ring() = 0;

  // Whether there is post().
  virtual bool posts() const { return false; }
  // Has the message sent by the next submit() or wait(), in the order of the calls. The header,
  // and all it views, lives until then, and until its failure has been seen to.
  virtual void post(int /*descriptor*/, const msghdr&, std::uint32_t /*tag*/) {}
  virtual void submit() {}
  // Those that were found since the last call, by submit() or wait(). The span lives until
  // the next of them.
  virtual std::span<const Failure> take_failures() { return {}; }
};

// The poller that was asked for, or the better one that this kernel and its policies allow.
// Throws StartError where io_uring was asked for and is refused, std::system_error where even
// epoll is: without a poller there is no shard.
std::unique_ptr<Poller> make_poller(config::Poller wanted);

}  // namespace yuelao::server

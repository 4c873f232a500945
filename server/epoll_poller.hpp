#pragma once

#include <sys/epoll.h>

#include <array>

#include "server/file_descriptor.hpp"
#include "server/poller.hpp"

namespace yuelao::server {

// One level-triggered epoll for everything. Works everywhere.
class EpollPoller final : public Poller {
 public:
  static constexpr std::size_t round_limit = 128;

  // Errors are thrown as std::system_error.
  EpollPoller();

  std::string_view name() const override { return "epoll"; }
  std::error_code add(int descriptor, turn::SocketRef ref) override;
  std::error_code watch(int descriptor, turn::SocketRef ref, Interest interest) override;
  std::span<const Event> wait(std::chrono::milliseconds at_most) override;
  bool rung() const override { return rung_; }
  void ring() override;

  // Readable while wait() has something to tell.
  int descriptor() const { return epoll_.value(); }

 private:
  FileDescriptor epoll_;
  FileDescriptor bell_;
  bool rung_ = false;
  std::array<epoll_event, round_limit> events_{};
  std::array<Event, round_limit> ready_{};
};

}  // namespace yuelao::server

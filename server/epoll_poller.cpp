#include "server/epoll_poller.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "server/packed_ref.hpp"

namespace yuelao::server {
namespace {

FileDescriptor opened(int descriptor, const char* call) {
  if (descriptor < 0) throw std::system_error{errno, std::system_category(), call};
  return FileDescriptor{descriptor};
}

int control(const FileDescriptor& epoll, int operation, int descriptor, std::uint32_t events,
            std::uint64_t bits) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = bits;
  return ::epoll_ctl(epoll.value(), operation, descriptor, &event);
}

}  // namespace

EpollPoller::EpollPoller()
    : epoll_{opened(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")},
      bell_{opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")} {
  // Edge-triggered: each ring is an edge, and nobody has to read it away.
  if (control(epoll_, EPOLL_CTL_ADD, bell_.value(), EPOLLIN | EPOLLET, packed_other) != 0) {
    throw std::system_error{errno, std::system_category(), "epoll_ctl"};
  }
}

std::error_code EpollPoller::add(int descriptor, turn::SocketRef ref) {
  if (control(epoll_, EPOLL_CTL_ADD, descriptor, EPOLLIN, packed(ref)) == 0) return {};
  return {errno, std::system_category()};
}

std::error_code EpollPoller::watch(int descriptor, turn::SocketRef ref, Interest interest) {
  // Errors and hang-ups are always told of, over and over: to be left alone a socket has to leave.
  if (interest == Interest::none) {
    control(epoll_, EPOLL_CTL_DEL, descriptor, 0, packed(ref));
    return {};
  }
  const std::uint32_t events = interest == Interest::read    ? std::uint32_t{EPOLLIN}
                               : interest == Interest::write ? std::uint32_t{EPOLLOUT}
                                                             : EPOLLIN | EPOLLOUT;
  if (control(epoll_, EPOLL_CTL_MOD, descriptor, events, packed(ref)) == 0) return {};
  if (errno == ENOENT && control(epoll_, EPOLL_CTL_ADD, descriptor, events, packed(ref)) == 0) {
    return {};
  }
  return {errno, std::system_category()};
}

std::span<const Poller::Event> EpollPoller::wait(std::chrono::milliseconds at_most) {
  rung_ = false;
  const int count = ::epoll_wait(epoll_.value(), events_.data(), static_cast<int>(events_.size()),
                                 static_cast<int>(at_most.count()));
  std::size_t size = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    if (!packs_socket(event.data.u64)) {
      rung_ = true;
      continue;
    }
    ready_[size] = {.ref = unpacked(event.data.u64),
                    .readable = (event.events & ~std::uint32_t{EPOLLOUT}) != 0,
                    .writable = (event.events & EPOLLOUT) != 0};
    ++size;
  }
  return {ready_.data(), size};
}

void EpollPoller::ring() {
  const std::uint64_t one = 1;
  // It can only fail when it has been rung 2^64 times.
  [[maybe_unused]] const auto written = ::write(bell_.value(), &one, sizeof one);
}

}  // namespace yuelao::server

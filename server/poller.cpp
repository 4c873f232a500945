#include "server/poller.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace yuelao::server {
namespace {

using Kind = turn::SocketRef::Kind;

// epoll carries 64 bits: the generation, two bits for the kind, and the index. There are
// far fewer than 2^30 sockets.
constexpr unsigned kind_shift = 30;
constexpr std::uint64_t index_mask = (std::uint64_t{1} << kind_shift) - 1;
constexpr std::uint64_t bell_bits = ~std::uint64_t{0};

std::uint64_t packed(turn::SocketRef ref) {
  return std::uint64_t{ref.generation} << 32U | std::uint64_t(ref.kind) << kind_shift | ref.index;
}

turn::SocketRef unpacked(std::uint64_t bits) {
  return {static_cast<Kind>(bits >> kind_shift & 3U), static_cast<std::uint32_t>(bits & index_mask),
          static_cast<std::uint32_t>(bits >> 32U)};
}

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

Poller::Poller()
    : epoll_{opened(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")},
      bell_{opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")} {
  // Edge-triggered: each ring is an edge, and nobody has to read it away.
  if (control(epoll_, EPOLL_CTL_ADD, bell_.value(), EPOLLIN | EPOLLET, bell_bits) != 0) {
    throw std::system_error{errno, std::system_category(), "epoll_ctl"};
  }
}

std::error_code Poller::add(int descriptor, turn::SocketRef ref) {
  if (control(epoll_, EPOLL_CTL_ADD, descriptor, EPOLLIN, packed(ref)) == 0) return {};
  return {errno, std::system_category()};
}

void Poller::watch(int descriptor, turn::SocketRef ref, Interest interest) {
  const std::uint32_t events = interest == Interest::read ? EPOLLIN : EPOLLIN | EPOLLOUT;
  control(epoll_, EPOLL_CTL_MOD, descriptor, events, packed(ref));
}

std::span<const Poller::Event> Poller::wait(std::chrono::milliseconds at_most) {
  rung_ = false;
  const int count = ::epoll_wait(epoll_.value(), events_.data(), static_cast<int>(events_.size()),
                                 static_cast<int>(at_most.count()));
  std::size_t size = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    if (event.data.u64 == bell_bits) {
      rung_ = true;
      continue;
    }
    ready_[size] = {unpacked(event.data.u64), (event.events & ~std::uint32_t{EPOLLOUT}) != 0,
                    (event.events & EPOLLOUT) != 0};
    ++size;
  }
  return {ready_.data(), size};
}

void Poller::ring() {
  const std::uint64_t one = 1;
  // It can only fail when it has been rung 2^64 times.
  [[maybe_unused]] const auto written = ::write(bell_.value(), &one, sizeof one);
}

}  // namespace yuelao::server

#include "server/udp_poller.hpp"

#include <cerrno>
#include <cstdint>

namespace yuelao::server {
namespace {

// epoll carries 64 bits: the generation, the index, and one bit for the kind. There
// are far fewer than 2^31 sockets.
constexpr std::uint64_t relay_bit = std::uint64_t{1} << 31U;

std::uint64_t packed(turn::SocketRef ref) {
  const bool relay = ref.kind == turn::SocketRef::Kind::relay;
  return std::uint64_t{ref.generation} << 32U | (relay ? relay_bit : 0) | ref.index;
}

turn::SocketRef unpacked(std::uint64_t bits) {
  const auto index = static_cast<std::uint32_t>(bits & (relay_bit - 1));
  if ((bits & relay_bit) == 0) return turn::SocketRef::listener(index);
  return turn::SocketRef::relay({index, static_cast<std::uint32_t>(bits >> 32U)});
}

int create_epoll() {
  const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) throw std::system_error{errno, std::system_category(), "epoll_create1"};
  return descriptor;
}

}  // namespace

UdpPoller::UdpPoller(boost::asio::io_context& context) : descriptor_{context, create_epoll()} {}

std::error_code UdpPoller::add(const UdpSocket& socket, turn::SocketRef ref) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = packed(ref);
  const int result =
      ::epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_ADD, socket.descriptor(), &event);
  return result == 0 ? std::error_code{} : std::error_code{errno, std::system_category()};
}

std::span<const turn::SocketRef> UdpPoller::ready() {
  const int count = ::epoll_wait(descriptor_.native_handle(), events_.data(),
                                 static_cast<int>(events_.size()), 0);
  if (count <= 0) return {};
  const auto size = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < size; ++i) refs_[i] = unpacked(events_[i].data.u64);
  return {refs_.data(), size};
}

void UdpPoller::cancel() {
  boost::system::error_code ignored;
  descriptor_.cancel(ignored);
}

}  // namespace yuelao::server

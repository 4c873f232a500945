#include "tests/bench/udp_socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>

namespace yuelao::bench {
namespace {

// Half of what a burst of the largest scenario needs while this process is not running.
constexpr int receive_buffer_bytes = 1 << 20;

// Room for one UDP_GRO.
constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(int));

void check(int result, const char* what) {
  if (result < 0) throw std::system_error{errno, std::generic_category(), what};
}

// Full buffers, and ICMP errors of earlier datagrams, are losses; they are counted where
// the datagram is missed.
bool lost(int error) {
  return error == EAGAIN || error == ENOBUFS || error == ECONNREFUSED || error == EPERM;
}

}  // namespace

KernelAddress kernel_address(const Endpoint& endpoint) {
  KernelAddress address;
  const auto octets = endpoint.address.octets();
  if (endpoint.address.family() == Family::ipv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    std::memcpy(&in.sin_addr, octets.data(), octets.size());
    std::memcpy(&address.storage, &in, sizeof in);
    address.size = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(endpoint.port);
    std::memcpy(&in.sin6_addr, octets.data(), octets.size());
    std::memcpy(&address.storage, &in, sizeof in);
    address.size = sizeof in;
  }
  return address;
}

Endpoint endpoint_of(const KernelAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address.storage, sizeof in);
    std::array<std::uint8_t, 4> octets{};
    std::memcpy(octets.data(), &in.sin_addr, octets.size());
    return {IpAddress::v4(octets), ntohs(in.sin_port)};
  }
  sockaddr_in6 in{};
  std::memcpy(&in, &address.storage, sizeof in);
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), &in.sin6_addr, octets.size());
  return {IpAddress::v6(octets), ntohs(in.sin6_port)};
}

void set_non_blocking(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  check(::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK), "fcntl");
}

Inbox::Inbox()
    : octets_(capacity * slot_bytes),
      control_(capacity * control_bytes),
      slots_(capacity),
      headers_(capacity) {
  for (std::size_t i = 0; i < capacity; ++i) {
    slots_[i] = {octets_.data() + i * slot_bytes, slot_bytes};
    headers_[i].msg_hdr.msg_iov = &slots_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
    headers_[i].msg_hdr.msg_control = control_.data() + i * control_bytes;
  }
}

void Inbox::take_apart(std::size_t slot) {
  auto& header = headers_[slot].msg_hdr;
  auto merged = Bytes{octets_}.subspan(slot * slot_bytes, headers_[slot].msg_len);
  std::size_t each = merged.size();
  for (auto* one = CMSG_FIRSTHDR(&header); one; one = CMSG_NXTHDR(&header, one)) {
    if (one->cmsg_level != SOL_UDP || one->cmsg_type != UDP_GRO) continue;
    int segment = 0;
    std::memcpy(&segment, CMSG_DATA(one), sizeof segment);
    each = static_cast<std::size_t>(segment);
  }
  do {
    datagrams_.push_back(merged.first(std::min(each, merged.size())));
    merged = merged.subspan(datagrams_.back().size());
  } while (!merged.empty());
}

UdpSocket::UdpSocket(const Endpoint& local, bool merge) {
  auto address = kernel_address(local);
  descriptor_ =
      ::socket(address.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (descriptor_ < 0) {
    throw std::system_error{errno, std::generic_category(),
                            "socket (allow more open files: ulimit -n)"};
  }
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
               sizeof receive_buffer_bytes);
  // As a network card takes in what it can merge; who sends is not charged for taking
  // it apart again.
  const int on = merge ? 1 : 0;
  ::setsockopt(descriptor_, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
  check(::bind(descriptor_, address.get(), address.size), "bind");
}

UdpSocket::~UdpSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

UdpSocket::UdpSocket(UdpSocket&& other) noexcept
    : descriptor_{std::exchange(other.descriptor_, -1)} {}

Endpoint UdpSocket::local() const {
  KernelAddress address;
  address.size = sizeof address.storage;
  check(::getsockname(descriptor_, address.get(), &address.size), "getsockname");
  return endpoint_of(address);
}

bool UdpSocket::send(Bytes datagram, const Endpoint& to) {
  auto address = kernel_address(to);
  if (::sendto(descriptor_, datagram.data(), datagram.size(), 0, address.get(), address.size) >= 0)
    return true;
  if (!lost(errno)) check(-1, "sendto");
  return false;
}

bool UdpSocket::send_segmented(Bytes datagrams, std::uint16_t segment_bytes, const Endpoint& to) {
  auto address = kernel_address(to);
  iovec slot{const_cast<std::byte*>(datagrams.data()), datagrams.size()};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof segment_bytes)> control{};
  msghdr header{};
  header.msg_name = address.get();
  header.msg_namelen = address.size;
  header.msg_iov = &slot;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* segment = CMSG_FIRSTHDR(&header);
  segment->cmsg_level = SOL_UDP;
  segment->cmsg_type = UDP_SEGMENT;
  segment->cmsg_len = CMSG_LEN(sizeof segment_bytes);
  std::memcpy(CMSG_DATA(segment), &segment_bytes, sizeof segment_bytes);
  if (::sendmsg(descriptor_, &header, 0) >= 0) return true;
  if (!lost(errno)) check(-1, "sendmsg with UDP_SEGMENT");
  return false;
}

void UdpSocket::receive(Inbox& inbox) {
  for (auto& header : inbox.headers_) header.msg_hdr.msg_controllen = control_bytes;
  const int count = ::recvmmsg(descriptor_, inbox.headers_.data(), Inbox::capacity, 0, nullptr);
  if (count < 0 && errno != EAGAIN && errno != ECONNREFUSED && errno != EINTR)
    check(-1, "recvmmsg");
  inbox.datagrams_.clear();
  for (int i = 0; i < count; ++i) inbox.take_apart(static_cast<std::size_t>(i));
}

Poller::Poller() : descriptor_{::epoll_create1(EPOLL_CLOEXEC)} {
  check(descriptor_, "epoll_create1");
  ready_.reserve(256);
}

Poller::~Poller() { ::close(descriptor_); }

void Poller::add(int descriptor, std::uint32_t label) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = label;
  check(::epoll_ctl(descriptor_, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
}

std::span<const std::uint32_t> Poller::wait(std::int64_t timeout_ns) {
  std::array<epoll_event, 256> events;
  timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  const int count = ::epoll_pwait2(descriptor_, events.data(), events.size(), &timeout, nullptr);
  if (count < 0 && errno != EINTR) check(-1, "epoll_pwait2");
  ready_.clear();
  for (int i = 0; i < count; ++i) ready_.push_back(events[static_cast<std::size_t>(i)].data.u32);
  return ready_;
}

}  // namespace yuelao::bench

#include "server/udp_socket.hpp"

#include <linux/errqueue.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "server/inherited_sockets.hpp"
#include "server/socket_address.hpp"

namespace yuelao::server {
namespace {

// A burst of 4 MiB is about 20 ms at 1.5 Gbit/s. The kernel takes as much of it as
// net.core.rmem_max allows.
constexpr int listener_buffer_bytes = 4 << 20;
// One client's media; a relay must drop rather than queue.
constexpr int relay_buffer_bytes = 512 << 10;

// RFC 8656 §14, §15: relayed data goes out with DF clear. The path's MTU as the kernel believes
// to know it stays out of it, because anybody can forge that; IP_PMTUDISC_DONT would also hide
// "fragmentation needed" from those who had asked for DF.
constexpr int fragments_allowed = IP_PMTUDISC_OMIT;
// DF set, whatever the kernel believes: the client looks for the path's MTU itself.
constexpr int fragments_forbidden = IP_PMTUDISC_PROBE;

std::error_code last_error() { return {errno, std::system_category()}; }

bool set_option(int descriptor, int level, int option, int value) {
  return ::setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

// The options whose absence would make the socket wrong; the others only tune.
bool set_required_options(int descriptor, const Endpoint& local) {
  if (local.address.family() == Family::ipv6) {
    return set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  return set_option(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, fragments_allowed);
}

// RFC 8656 §11.5. A kernel that refuses only tells less.
void report_icmp(int descriptor, const Endpoint& local) {
  if (local.address.family() == Family::ipv6) {
    set_option(descriptor, IPPROTO_IPV6, IPV6_RECVERR, 1);
  } else {
    set_option(descriptor, IPPROTO_IP, IP_RECVERR, 1);
  }
}

bool set_listener_options(int descriptor, const Endpoint& local) {
  if (!set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)) return false;
  if (!local.address.unspecified()) return true;
  return local.address.family() == Family::ipv6
             ? set_option(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
             : set_option(descriptor, IPPROTO_IP, IP_PKTINFO, 1);
}

void tune(int descriptor, int bytes) {
  set_option(descriptor, SOL_SOCKET, SO_RCVBUF, bytes);
  set_option(descriptor, SOL_SOCKET, SO_SNDBUF, bytes);
  set_option(descriptor, SOL_SOCKET, SO_RXQ_OVFL, 1);
  set_option(descriptor, IPPROTO_UDP, UDP_GRO, 1);
}

std::expected<FileDescriptor, std::error_code> open_socket(const Endpoint& local) {
  FileDescriptor descriptor{
      ::socket(kernel_family(local.address), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!descriptor.open() || !set_required_options(descriptor.value(), local)) {
    return std::unexpected{last_error()};
  }
  return descriptor;
}

std::expected<Endpoint, std::error_code> bind_socket(int descriptor, const Endpoint& local) {
  SocketAddress address{local};
  if (::bind(descriptor, address.data(), address.size()) != 0) {
    return std::unexpected{last_error()};
  }
  socklen_t size = SocketAddress::capacity;
  if (::getsockname(descriptor, address.data(), &size) != 0) {
    return std::unexpected{last_error()};
  }
  return address.endpoint();
}

// How many of the headers were filled; what recvmmsg(2) does to one of them costs more than
// recvmsg(2) does.
int read_messages(int descriptor, std::span<mmsghdr> headers) {
  if (headers.size() != 1) {
    return ::recvmmsg(descriptor, headers.data(), static_cast<unsigned>(headers.size()),
                      MSG_DONTWAIT, nullptr);
  }
  const auto size = ::recvmsg(descriptor, &headers[0].msg_hdr, MSG_DONTWAIT);
  if (size < 0) return -1;
  headers[0].msg_len = static_cast<unsigned>(size);
  return 1;
}

template <class T>
T control_value(const cmsghdr* control) {
  T value{};
  std::memcpy(&value, CMSG_DATA(control), sizeof value);
  return value;
}

// A datagram that is too long for the first link is this machine's own router's to refuse; the
// kernel says so with an error instead of an ICMP message to itself.
std::optional<stun::Icmp> icmp_of(const sock_extended_err& error, Family family) {
  if (error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6) {
    return stun::Icmp{error.ee_type, error.ee_code, error.ee_info};
  }
  if (error.ee_origin != SO_EE_ORIGIN_LOCAL || error.ee_errno != EMSGSIZE) return std::nullopt;
  if (family == Family::ipv6) return stun::Icmp{ICMP6_PACKET_TOO_BIG, 0, error.ee_info};
  return stun::Icmp{ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, error.ee_info};
}

std::optional<stun::Icmp> icmp_in(msghdr& header) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    const bool v4 = control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR;
    const bool v6 = control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR;
    if (v4 || v6) {
      return icmp_of(control_value<sock_extended_err>(control), v4 ? Family::ipv4 : Family::ipv6);
    }
  }
  return std::nullopt;
}

}  // namespace

std::expected<UdpSocket, std::error_code> UdpSocket::open_listener(const Endpoint& local) {
  if (auto ready = take_inherited(SOCK_DGRAM, local)) return UdpSocket{*std::move(ready), local};
  auto descriptor = open_socket(local);
  if (!descriptor) return std::unexpected{descriptor.error()};
  if (!set_listener_options(descriptor->value(), local)) return std::unexpected{last_error()};
  tune(descriptor->value(), listener_buffer_bytes);
  const auto bound = bind_socket(descriptor->value(), local);
  if (!bound) return std::unexpected{bound.error()};
  return UdpSocket{*std::move(descriptor), *bound};
}

std::expected<UdpSocket, std::error_code> UdpSocket::open_relay(const Endpoint& local) {
  auto descriptor = open_socket(local);
  if (!descriptor) return std::unexpected{descriptor.error()};
  tune(descriptor->value(), relay_buffer_bytes);
  report_icmp(descriptor->value(), local);
  const auto bound = bind_socket(descriptor->value(), local);
  if (!bound) return std::unexpected{bound.error()};
  return UdpSocket{*std::move(descriptor), *bound};
}

std::span<const Received> UdpSocket::receive(DatagramPool& pool, std::size_t limit) {
  const auto headers = pool.prepare(limit);
  const int count = read_messages(descriptor_.value(), headers);
  if (count <= 0) {
    note_error();  // also of a call that found nothing where epoll had seen something
    return {};
  }
  const auto received = pool.take(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < received.size(); ++i) {
    read_control(headers[i].msg_hdr, received[i]);
  }
  std::size_t datagrams = 0;
  for (const Received& message : received) datagrams += message.datagrams();
  judge_merging(received.size(), datagrams);
  return received;
}

Received UdpSocket::read(RawMessage& message) {
  SocketAddress from;
  std::memcpy(from.data(), message.header.msg_name,
              std::min<std::size_t>(message.header.msg_namelen, SocketAddress::capacity));
  Received received{from.endpoint(), IpAddress{}, message.payload};
  read_control(message.header, received);
  judge_merging(1, received.datagrams());
  return received;
}

std::span<const Received> UdpSocket::receive_likely(DatagramPool& pool, std::size_t limit) {
  const std::size_t wanted = std::min(likely_, limit);
  const auto received = receive(pool, wanted);
  likely_ = received.size() == wanted ? 2 * wanted : std::max<std::size_t>(received.size(), 1);
  return received;
}

PeerErrors UdpSocket::take_errors() {
  PeerErrors taken;
  for (std::size_t looked = 0; looked < taken.errors.size(); ++looked) {
    SocketAddress peer;
    alignas(cmsghdr) std::array<std::byte, 256> control{};
    msghdr header{};
    header.msg_name = peer.data();
    header.msg_namelen = SocketAddress::capacity;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    // The datagram itself comes along, which is of no interest.
    if (::recvmsg(descriptor_.value(), &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
      errors_waiting_ = false;
      break;
    }
    if (const auto icmp = icmp_in(header)) {
      taken.errors.at(taken.count) = {peer.endpoint(), *icmp};
      ++taken.count;
    }
  }
  return taken;
}

bool UdpSocket::ignore_datagrams() const {
  std::array filter{sock_filter{BPF_RET | BPF_K, 0, 0, 0}};  // of every datagram nothing
  const sock_fprog program{filter.size(), filter.data()};
  return ::setsockopt(descriptor_.value(), SOL_SOCKET, SO_ATTACH_FILTER, &program,
                      sizeof program) == 0;
}

bool UdpSocket::accept_datagrams() const {
  return set_option(descriptor_.value(), SOL_SOCKET, SO_DETACH_FILTER, 0);
}

bool UdpSocket::set_fragments(Fragments fragments) const {
  if (local_.address.family() == Family::ipv6) return true;
  return set_option(descriptor_.value(), IPPROTO_IP, IP_MTU_DISCOVER,
                    fragments == Fragments::allowed ? fragments_allowed : fragments_forbidden);
}

void UdpSocket::judge_merging(std::size_t messages, std::size_t datagrams) {
  if (const auto change = merging_.after(messages, datagrams)) {
    // A kernel without it (before 5.0) refuses, and has nothing to merge.
    set_option(descriptor_.value(), IPPROTO_UDP, UDP_GRO, *change == MergeTrial::Change::merge);
  }
}

void UdpSocket::read_control(msghdr& header, Received& received) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL) {
      overflows_ = control_value<std::uint32_t>(control);
    } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
      received.to = from_kernel(control_value<in_pktinfo>(control).ipi_addr);
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
      received.to = from_kernel(control_value<in6_pktinfo>(control).ipi6_addr);
    } else if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO) {
      received.segment_bytes = static_cast<std::size_t>(control_value<int>(control));
    }
  }
}

std::uint32_t UdpSocket::take_overflows() {
  // Unsigned: right also when the kernel's count wraps.
  const std::uint32_t fresh = overflows_ - overflows_taken_;
  overflows_taken_ = overflows_;
  return fresh;
}

}  // namespace yuelao::server

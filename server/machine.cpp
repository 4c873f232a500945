#include "server/machine.hpp"

#include <ifaddrs.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "server/file_descriptor.hpp"
#include "server/socket_address.hpp"
#include "server/stun_query.hpp"

namespace yuelao::server {
namespace {

std::optional<IpAddress> from_socket_address(const sockaddr* address) {
  if (!address) return std::nullopt;
  if (address->sa_family == AF_INET) {
    return from_kernel(reinterpret_cast<const sockaddr_in*>(address)->sin_addr);
  }
  if (address->sa_family == AF_INET6) {
    return from_kernel(reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
  }
  return std::nullopt;
}

std::vector<IpAddress> interface_addresses() {
  std::vector<IpAddress> addresses;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return addresses;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner{first, ::freeifaddrs};
  for (const ifaddrs* one = first; one; one = one->ifa_next) {
    if (const auto address = from_socket_address(one->ifa_addr)) addresses.push_back(*address);
  }
  return addresses;
}

// connect() on UDP chooses the route and the source address and sends nothing. The
// documentation networks (RFC 5737, RFC 3849) are routed like the Internet, and nobody's.
std::optional<IpAddress> default_source(std::string_view towards) {
  const auto peer = IpAddress::parse(towards);
  if (!peer) return std::nullopt;
  const SocketAddress remote{Endpoint{*peer, 9}};
  const FileDescriptor socket{::socket(kernel_family(*peer), SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!socket.open() || ::connect(socket.value(), remote.data(), remote.size()) != 0) {
    return std::nullopt;
  }
  SocketAddress local;
  socklen_t size = SocketAddress::capacity;
  if (::getsockname(socket.value(), local.data(), &size) != 0) return std::nullopt;
  return local.endpoint().address;
}

bool can_bind(const IpAddress& address) {
  const SocketAddress local{Endpoint{address, 0}};
  const FileDescriptor socket{::socket(kernel_family(address), SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  return socket.open() && ::bind(socket.value(), local.data(), local.size()) == 0;
}

std::vector<IpAddress> look_up(const std::string& host) {
  std::vector<IpAddress> addresses;
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* first = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &first) != 0) return addresses;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner{first, ::freeaddrinfo};
  for (const addrinfo* one = first; one; one = one->ai_next) {
    if (const auto address = from_socket_address(one->ai_addr)) addresses.push_back(*address);
  }
  return addresses;
}

std::optional<IpAddress> seen_as(const config::StunServer& server, const IpAddress& from) {
  const auto addresses = look_up(server.host);
  const auto fitting = std::ranges::find(addresses, from.family(), &IpAddress::family);
  if (fitting == addresses.end()) return std::nullopt;
  return ask_stun({*fitting, server.port}, from);
}

}  // namespace

Machine this_machine() {
  return {interface_addresses(),
          default_source("192.0.2.1"),
          default_source("2001:db8::1"),
          can_bind,
          look_up,
          seen_as};
}

}  // namespace yuelao::server

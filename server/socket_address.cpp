#include "server/socket_address.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace yuelao::server {

IpAddress from_kernel(const in_addr& address) {
  std::array<std::uint8_t, 4> octets{};
  std::memcpy(octets.data(), &address, octets.size());
  return IpAddress::v4(octets);
}

IpAddress from_kernel(const in6_addr& address) {
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), &address, octets.size());
  return IpAddress::v6(octets);
}

in_addr to_kernel_v4(const IpAddress& address) {
  in_addr result{};
  std::memcpy(&result, address.octets().data(), sizeof result);
  return result;
}

in6_addr to_kernel_v6(const IpAddress& address) {
  in6_addr result{};
  std::ranges::copy(address.octets(), static_cast<std::uint8_t*>(result.s6_addr));
  return result;
}

SocketAddress::SocketAddress(const Endpoint& endpoint) {
  if (endpoint.address.family() == Family::ipv6) {
    v6_.sin6_family = AF_INET6;
    v6_.sin6_port = htons(endpoint.port);
    v6_.sin6_addr = to_kernel_v6(endpoint.address);
    return;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(endpoint.port);
  v4.sin_addr = to_kernel_v4(endpoint.address);
  std::memcpy(&v6_, &v4, sizeof v4);
  size_ = sizeof v4;
}

Endpoint SocketAddress::endpoint() const {
  if (v6_.sin6_family == AF_INET6) {
    return {from_kernel(v6_.sin6_addr), ntohs(v6_.sin6_port)};
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &v6_, sizeof v4);
  return {from_kernel(v4.sin_addr), ntohs(v4.sin_port)};
}

}  // namespace yuelao::server

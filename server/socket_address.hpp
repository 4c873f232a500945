#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "protocol/endpoint.hpp"

namespace yuelao::server {

// An Endpoint as the kernel's calls want it.
class SocketAddress {
 public:
  SocketAddress() = default;  // room for the kernel to write one
  explicit SocketAddress(const Endpoint& endpoint);

  Endpoint endpoint() const;

  sockaddr* data() { return reinterpret_cast<sockaddr*>(&v6_); }
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&v6_); }
  socklen_t size() const { return size_; }
  static constexpr socklen_t capacity = sizeof(sockaddr_in6);

 private:
  sockaddr_in6 v6_{};  // the larger of the two; holds a sockaddr_in as well
  socklen_t size_ = capacity;
};

IpAddress from_kernel(const in_addr& address);
IpAddress from_kernel(const in6_addr& address);
in_addr to_kernel_v4(const IpAddress& address);
in6_addr to_kernel_v6(const IpAddress& address);

inline int kernel_family(const IpAddress& address) {
  return address.family() == Family::ipv4 ? AF_INET : AF_INET6;
}

}  // namespace yuelao::server

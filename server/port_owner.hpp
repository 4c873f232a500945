#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/endpoint.hpp"

namespace yuelao::server {

// A program that has a local port.
struct PortOwner {
  // As the program calls itself, so with any octets. Empty where /proc does not tell, as of
  // another user's programs.
  std::string program;
  int process = 0;  // 0 there

  // "nginx (process 123)", fit for a terminal, or "another program".
  std::string to_string() const;
};

// Who listens on `port` of `address`; unset or unspecified: on any address. Empty: nobody.
// `transport` tls means TCP.
std::optional<PortOwner> port_owner(Transport transport, const std::optional<IpAddress>& address,
                                    std::uint16_t port);

}  // namespace yuelao::server

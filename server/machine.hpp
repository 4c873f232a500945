#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "protocol/endpoint.hpp"

namespace yuelao::server {

// What this machine has and knows of the network. A value, so that the choices made
// from it (addresses.hpp) can be tried on machines that do not exist.
struct Machine {
  std::vector<IpAddress> interfaces;
  // What the kernel would send from towards the Internet.
  std::optional<IpAddress> default_ipv4;
  std::optional<IpAddress> default_ipv6;
  // Whether sockets can be bound to the address.
  std::function<bool(const IpAddress& address)> can_bind;
  // The addresses of a host name; empty when it has none or cannot be looked up.
  std::function<std::vector<IpAddress>(const std::string& host)> look_up;
  // The address that the STUN server sees datagrams from `from` come from.
  std::function<std::optional<IpAddress>(const config::StunServer& server, const IpAddress& from)>
      seen_as;
};

// Sends nothing, but look_up asks the resolver and seen_as the server, which may take
// seconds.
Machine this_machine();

}  // namespace yuelao::server

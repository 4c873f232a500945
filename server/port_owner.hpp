#pragma once

#include <cstdint>
#include <string>

#include "protocol/endpoint.hpp"

namespace yuelao::server {

// The program that holds a local port, as "nginx (process 123)"; empty where /proc does
// not tell, for example because the program belongs to another user. `transport` tls
// means TCP.
std::string port_owner(Transport transport, std::uint16_t port);

}  // namespace yuelao::server

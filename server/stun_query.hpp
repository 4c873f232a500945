#pragma once

#include <optional>

#include "protocol/endpoint.hpp"

namespace yuelao::server {

// Which address the STUN server at `server` sees datagrams from `from` come from; empty
// when it says nothing of use. Blocks, 2.5 seconds at most.
std::optional<IpAddress> ask_stun(const Endpoint& server, const IpAddress& from);

}  // namespace yuelao::server

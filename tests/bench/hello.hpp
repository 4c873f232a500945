#pragma once

#include <optional>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"

namespace yuelao::bench {

// What a client asks `forwarder` for instead of an allocation: it names its peer, and the
// answer in the same form names the socket that stands for it.
Bytes write_hello(const Endpoint& endpoint, MutableBytes out);
std::optional<Endpoint> read_hello(Bytes datagram);

}  // namespace yuelao::bench

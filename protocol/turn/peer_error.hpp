#pragma once

#include "protocol/endpoint.hpp"
#include "protocol/stun/attribute_values.hpp"

namespace yuelao::turn {

// What ICMP said of a datagram that a relay had sent (RFC 8656 §11.5).
struct PeerError {
  Endpoint peer;    // where it had been sent to; port 0 where the kernel does not know
  stun::Icmp icmp;  // type and code by the peer's family; `error_data` is the MTU, if any
};

}  // namespace yuelao::turn

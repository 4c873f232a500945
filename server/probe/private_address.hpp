#pragma once

#include "protocol/endpoint.hpp"

namespace yuelao::probe {

// Of the special-purpose ranges that a TURN server does not relay to: nobody on the Internet
// reaches it.
bool private_address(const IpAddress& address);

}  // namespace yuelao::probe

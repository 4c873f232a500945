#pragma once

#include <cstdint>

#include "protocol/edge/client_hello.hpp"

namespace yuelao::edge {

// Whom the name in a ClientHello belongs to, as the server knows from its configuration and
// its certificate.
enum class NameOwner : std::uint8_t {
  turn,    // TURN's alone
  shared,  // TURN's and the web server's; also where the client names nobody
  web,     // not ours
};

enum class Route : std::uint8_t {
  here,  // TLS ends here; what is inside decides further
  web,   // the web server's from the first octet on
};

// Who answers a connection on a port that is shared with a web server. Of a shared name the
// protocols decide (ALPN, RFC 7301): who offers TURN's (RFC 7443), or offers nothing, as
// browsers' TURN and plain `openssl s_client` do, is answered here; who offers others, such
// as h2 and http/1.1, is not.
Route route(NameOwner owner, const ClientHello& hello);

}  // namespace yuelao::edge

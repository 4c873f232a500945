#pragma once

#include <openssl/ssl.h>

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "protocol/now.hpp"
#include "server/probe/report.hpp"
#include "server/release.hpp"

namespace yuelao::probe {

// Which certificate authorities are believed, for TLS and for DTLS.
struct Trust {
  std::shared_ptr<SSL_CTX> streams;
  std::shared_ptr<SSL_CTX> datagrams;
};

// The system's, and those in `authorities` (PEM) where it is not empty. The error is one
// sentence with the fix.
std::expected<Trust, std::string> load_trust(const std::filesystem::path& authorities);

using TlsSession = server::Owned<SSL, SSL_free>;

// Whom a session is meant for.
struct TlsPeer {
  std::string host;        // a name, which SNI tells the server, or an address
  std::string alpn;        // RFC 7443: "stun.turn" or "stun.nat-discovery"
  bool datagrams = false;  // DTLS: the socket is one of UDP
};

// Shakes hands over a connected, non-blocking socket, also with a server that nobody
// should believe: certificate_of() says so. The error is a sentence.
std::expected<TlsSession, std::string> shake_hands(const Trust& trust, const TlsPeer& peer,
                                                   int socket, SteadyTime deadline);

Certificate certificate_of(SSL& session);

}  // namespace yuelao::probe

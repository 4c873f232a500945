#pragma once

#include <chrono>
#include <memory>

#include <boost/asio/ssl/context.hpp>

#include "config/config.hpp"

namespace yuelao::server {

// A certificate in use. Connections keep the one they began with.
struct TlsContext {
  boost::asio::ssl::context context;
  std::chrono::sys_seconds expiry;  // of the server's own certificate
};

// TLS 1.2 and 1.3, without renegotiation, compression, early data or resumption: a
// ticket key that lives as long as the process would undo forward secrecy. ALPN names
// `stun.turn` and `stun.nat-discovery` (RFC 7443) are selected when offered.
//
// Throws StartError when a file is missing or unreadable, the key does not belong to
// the certificate, or the certificate is not valid now.
std::shared_ptr<TlsContext> load_tls_context(const config::TlsFiles& files);

}  // namespace yuelao::server

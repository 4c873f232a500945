#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "config/config.hpp"
#include "server/release.hpp"
#include "server/start_error.hpp"
#include "server/ticket_keys.hpp"

namespace yuelao::server {

// A certificate in use. Connections keep the one they began with.
struct TlsContext {
  TicketKeys tickets;                      // of both
  Owned<SSL_CTX, SSL_CTX_free> context;    // TLS
  Owned<SSL_CTX, SSL_CTX_free> datagrams;  // DTLS
  std::chrono::sys_seconds expiry;         // of the server's own certificate
};

// Why there can be no TLS, and which of the two files it is about.
class TlsFileError : public StartError {
 public:
  enum class File : std::uint8_t { certificate, key };

  TlsFileError(File file, const std::string& sentence) : StartError{sentence}, file_{file} {}
  File file() const { return file_; }

 private:
  File file_;
};

// TLS 1.2 and 1.3 and DTLS 1.2, without renegotiation, compression, early data or a session
// cache. Clients come back with tickets, whose keys are this context's own. ALPN names `stun.turn`
// and `stun.nat-discovery` (RFC 7443) are selected when offered.
//
// Throws TlsFileError when a file is missing or unreadable, the key does not belong to
// the certificate, or the certificate is not valid now.
std::shared_ptr<TlsContext> load_tls_context(const config::TlsFiles& files);

}  // namespace yuelao::server

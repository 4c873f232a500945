#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>

#include "protocol/bytes.hpp"
#include "protocol/edge/dtls_record.hpp"
#include "protocol/endpoint.hpp"
#include "server/datagrams.hpp"
#include "server/dtls_cookies.hpp"
#include "server/octet_transport.hpp"
#include "server/release.hpp"
#include "server/tls_context.hpp"

namespace yuelao::server {

// The server's side of DTLS 1.2 (RFC 6347) over datagrams that somebody else moves: each that
// came is given, what is to go is added to `out`. It touches no socket and no clock but
// OpenSSL's, for the handshake's retransmissions.
//
// It may move from thread to thread, but for greet() with cookies of one thread's.
class DtlsSession final : private OctetTransport {
 public:
  // No flight of a handshake has a datagram longer than this, so that none of them needs IP's
  // fragments: every IPv6 path takes it, with room for a tunnel.
  static constexpr std::size_t handshake_bytes = 1200;
  // The longest message there may be in a record.
  static constexpr std::size_t message_limit = SSL3_RT_MAX_PLAIN_LENGTH;

  // Throws std::bad_alloc when there is no memory for one more.
  explicit DtlsSession(std::shared_ptr<const TlsContext> context);

  // A ClientHello of whom nothing is known yet.
  struct Hello {
    Bytes datagram;
    const edge::HelloRandom& random;
    const FiveTuple& client;
  };
  enum class Greeting : std::uint8_t {
    nonsense,    // nobody is answered
    challenged,  // a HelloVerifyRequest is in `out`, never longer than the datagram
    verified,    // the client has shown that it is at its address: handshake() goes on
  };
  // RFC 6347 §4.2.1. Until `verified` nothing is kept of a client, so one session greets many,
  // and after `verified` it may still greet somebody else.
  Greeting greet(const Hello& hello, const DtlsCookies& cookies, Datagrams& out);

  // What has come from the client, one datagram. It lives until handshake() is `unfinished` or
  // read() answers 0.
  void give(Bytes datagram) { input_ = datagram; }

  enum class Handshake : std::uint8_t { done, unfinished, failed };
  Handshake handshake(Datagrams& out);
  // How long until handshake() is to be called again, to send the last flight once more
  // (RFC 6347 §4.2.4); nothing while there is no need to.
  std::optional<std::chrono::microseconds> retransmits_in();

  enum class End : std::uint8_t { closed, broken };
  // Decrypts one message into `to`, which has room for the datagram it came in and may be that
  // datagram; 0: nothing before more is given. What is no record of the client's is passed over
  // (RFC 6347 §4.1.2.7).
  std::expected<std::size_t, End> read(MutableBytes to, Datagrams& out);
  // Encrypts one message, not longer than message_limit, into one datagram. False: it cannot.
  bool write(Bytes plain, Datagrams& out);
  // Says that nothing more will come (close_notify).
  void close(Datagrams& out);
  // Gives back what a record is read into and written from, until there is one again.
  void release_buffers();

  // For a context whose sessions greet.
  static void use_cookies(SSL_CTX* context);

 private:
  struct Challenge {
    const Hello& hello;
    const DtlsCookies& cookies;
  };

  static int make_cookie(SSL* ssl, unsigned char* cookie, unsigned* size);
  static int verify_cookie(SSL* ssl, const unsigned char* cookie, unsigned size);

  std::size_t take(MutableBytes to) override;
  void put(Bytes datagram) override;
  bool wants_more(int result) const;
  bool hold_buffers();

  std::shared_ptr<const TlsContext> context_;
  Owned<SSL, SSL_free> ssl_;
  Bytes input_;
  bool released_ = false;                 // the buffers
  Datagrams* output_ = nullptr;           // of the call under way
  const Challenge* challenge_ = nullptr;  // in greet() alone
};

}  // namespace yuelao::server

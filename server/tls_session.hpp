#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <vector>

#include "protocol/bytes.hpp"
#include "server/octet_transport.hpp"
#include "server/release.hpp"
#include "server/tls_context.hpp"

namespace yuelao::server {

// The server's side of TLS (RFC 8446, RFC 5246) over octets that somebody else moves: what
// came is given, what is to go is taken from output(). It touches no socket, so that whoever
// owns one reads and writes once for many records. An idle session holds no buffer.
class TlsSession final : private OctetTransport {
 public:
  // Throws std::bad_alloc when there is no memory for one more.
  explicit TlsSession(std::shared_ptr<const TlsContext> context);

  // What has come from the client. The octets live until handshake() is `unfinished` or
  // read() answers 0, which is when all have been taken; before that nothing more is given.
  void give(Bytes wire) { input_ = wire; }

  enum class Handshake : std::uint8_t { done, unfinished, failed };
  Handshake handshake();

  enum class End : std::uint8_t { closed, broken };
  // Decrypts into `to`, which is not empty; 0: nothing before more is given.
  std::expected<std::size_t, End> read(MutableBytes to);

  // Encrypts all of it, in as few records as will hold it. False: the session is broken.
  bool write(Bytes plain);
  // Says that nothing more will come (close_notify).
  void close();

  // What is to go to the client, in this order. The owner takes it away.
  std::vector<std::byte>& output() { return output_; }

 private:
  std::size_t take(MutableBytes to) override;
  void put(Bytes octets) override;

  std::shared_ptr<const TlsContext> context_;
  Owned<SSL, SSL_free> ssl_;
  Bytes input_;
  std::vector<std::byte> output_;
};

}  // namespace yuelao::server

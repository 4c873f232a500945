#include "server/tls_session.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <array>
#include <string>

#include "tests/server/certificate.hpp"

namespace yuelao::server::tls_session_test {
namespace {

using Octets = std::vector<std::byte>;

// OpenSSL's client over memory, and what it has for the wire.
class Client {
 public:
  explicit Client(int version) : context_{SSL_CTX_new(TLS_client_method())} {
    SSL_CTX_set_max_proto_version(context_.get(), version);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
  }
  SSL* ssl() { return ssl_.get(); }
  void hear(Octets& wire) {
    BIO_write(SSL_get_rbio(ssl_.get()), wire.data(), static_cast<int>(wire.size()));
    wire.clear();
  }
  Octets said() {
    Octets wire(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())));
    BIO_read(SSL_get_wbio(ssl_.get()), wire.data(), static_cast<int>(wire.size()));
    return wire;
  }
  std::string read() {
    std::array<char, 4096> text{};
    const int size = SSL_read(ssl_.get(), text.data(), text.size());
    return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
  }

 private:
  Owned<SSL_CTX, SSL_CTX_free> context_;
  Owned<SSL, SSL_free> ssl_;
};

struct World {
  explicit World(int version) : client{version} {}

  test::TemporaryDirectory directory;
  TlsSession session{load_tls_context(test::make_certificate(directory.path(), "tls"))};
  Client client;

  bool shake_hands() {
    auto state = TlsSession::Handshake::unfinished;
    for (int flight = 0; flight < 6 && state != TlsSession::Handshake::failed; ++flight) {
      const bool client_done = SSL_do_handshake(client.ssl()) == 1;
      const auto wire = client.said();
      session.give(wire);
      if (state == TlsSession::Handshake::unfinished) state = session.handshake();
      client.hear(session.output());
      if (client_done && state == TlsSession::Handshake::done) return true;
    }
    return false;
  }
  // What the session decrypts of `wire`, which comes in pieces of this size.
  std::string decrypted(Bytes wire, std::size_t piece) {
    std::string text;
    for (; !wire.empty(); wire = wire.subspan(std::min(piece, wire.size()))) {
      session.give(wire.first(std::min(piece, wire.size())));
      std::array<std::byte, 700> room{};
      for (auto size = session.read(room); size && *size > 0; size = session.read(room)) {
        text += as_text(Bytes{room}.first(*size));
      }
    }
    return text;
  }
};

TEST_CASE("TLS ends over octets in pieces of every size, both ways") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t piece : {1U, 5U, 16384U}) {
      CAPTURE(version);
      CAPTURE(piece);
      World world{version};
      REQUIRE(world.shake_hands());
      std::string sent;
      for (const std::size_t size : {1U, 1200U, 16384U}) {
        const std::string text(size, 'u');
        SSL_write(world.client.ssl(), text.data(), static_cast<int>(text.size()));
        sent += text;
      }
      CHECK(world.decrypted(world.client.said(), piece) == sent);
      REQUIRE(world.session.write(as_bytes("an answer")));
      world.client.hear(world.session.output());
      CHECK(world.client.read() == "an answer");
    }
  }
}

TEST_CASE("an orderly end is told from a broken session") {
  World world{TLS1_3_VERSION};
  REQUIRE(world.shake_hands());
  std::array<std::byte, 16> room{};
  SUBCASE("close_notify") {
    SSL_shutdown(world.client.ssl());
    const auto wire = world.client.said();
    world.session.give(wire);
    CHECK(world.session.read(room).error() == TlsSession::End::closed);
  }
  SUBCASE("what is no record") {
    world.session.give(as_bytes("GET / HTTP/1.1\r\n"));
    CHECK(world.session.read(room).error() == TlsSession::End::broken);
  }
}

TEST_CASE("renegotiation is refused, and whoever goes on asking is not listened to") {
  World world{TLS1_2_VERSION};
  REQUIRE(world.shake_hands());
  std::array<std::byte, 16> room{};
  SSL_renegotiate(world.client.ssl());
  SSL_do_handshake(world.client.ssl());
  const auto wire = world.client.said();
  world.session.give(wire);
  CHECK(world.session.read(room) == 0U);
  const auto alert = world.session.output().size();
  CHECK(alert > 0);
  // As if it had asked, without ever reading, until 16 KiB of refusals wait.
  world.session.output().resize(16 * 1024 + 1);
  CHECK(world.session.read(room).error() == TlsSession::End::broken);
}

}  // namespace
}  // namespace yuelao::server::tls_session_test

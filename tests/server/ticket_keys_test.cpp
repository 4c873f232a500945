#include "server/ticket_keys.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <chrono>

#include "server/random.hpp"
#include "server/tls_session.hpp"
#include "tests/server/certificate.hpp"

namespace yuelao::server::ticket_keys_test {
namespace {

using Ticket = Owned<SSL_SESSION, SSL_SESSION_free>;

// OpenSSL's client of TLS over memory, which may come back with a ticket.
class Visitor {
 public:
  Visitor(const std::shared_ptr<TlsContext>& server, int version)
      : session_{server}, context_{SSL_CTX_new(TLS_client_method())} {
    SSL_CTX_set_max_proto_version(context_.get(), version);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
  }
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;
  // OpenSSL's client does not come back to whom it has left without a word.
  ~Visitor() { SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }

  // Whether a ticket took the place of a signature.
  bool resumes(const Ticket& ticket = nullptr) {
    if (ticket) SSL_set_session(ssl_.get(), ticket.get());
    for (int flight = 0; flight < 6; ++flight) {
      SSL_do_handshake(ssl_.get());
      const auto said = heard_from_client();
      session_.give(said);
      const auto state = session_.handshake();
      REQUIRE(state != TlsSession::Handshake::failed);
      BIO_write(SSL_get_rbio(ssl_.get()), session_.output().data(),
                static_cast<int>(session_.output().size()));
      session_.output().clear();
    }
    // TLS 1.3 has its tickets behind the handshake.
    std::array<char, 16> nothing{};
    SSL_read(ssl_.get(), nothing.data(), nothing.size());
    REQUIRE(SSL_is_init_finished(ssl_.get()) == 1);
    return SSL_session_reused(ssl_.get()) == 1;
  }
  Ticket ticket() { return Ticket{SSL_get1_session(ssl_.get())}; }

 private:
  std::vector<std::byte> heard_from_client() {
    std::vector<std::byte> wire(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())));
    BIO_read(SSL_get_wbio(ssl_.get()), wire.data(), static_cast<int>(wire.size()));
    return wire;
  }

  TlsSession session_;
  Owned<SSL_CTX, SSL_CTX_free> context_;
  Owned<SSL, SSL_free> ssl_;
};

TEST_CASE("a ticket is good until its key has been changed twice") {  // RFC 9325 §3.4
  const test::TemporaryDirectory directory;
  const auto files = test::make_certificate(directory.path(), "tickets");
  const auto begin = SteadyTime{} + std::chrono::hours{1};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    const auto server = load_tls_context(files);
    server->tickets.advance(begin);
    Visitor first{server, version};
    CHECK_FALSE(first.resumes());
    const auto ticket = first.ticket();
    REQUIRE(SSL_SESSION_has_ticket(ticket.get()) == 1);

    CHECK(Visitor(server, version).resumes(ticket));
    server->tickets.advance(begin + TicketKeys::lifetime - std::chrono::seconds{1});
    CHECK(Visitor(server, version).resumes(ticket));
    server->tickets.advance(begin + TicketKeys::lifetime);
    Visitor later{server, version};
    CHECK(later.resumes(ticket));
    const auto renewed = later.ticket();
    server->tickets.advance(begin + 2 * TicketKeys::lifetime);
    CHECK_FALSE(Visitor(server, version).resumes(ticket));
    // Whoever came back in between has a ticket with the key of then.
    CHECK(Visitor(server, version).resumes(renewed));
  }
}

TEST_CASE("nobody comes back past a change of the certificate") {
  const test::TemporaryDirectory directory;
  const auto files = test::make_certificate(directory.path(), "tickets");
  const auto server = load_tls_context(files);
  Visitor first{server, TLS1_3_VERSION};
  first.resumes();
  const auto ticket = first.ticket();
  SUBCASE("the new one has keys of its own") {
    CHECK_FALSE(Visitor(load_tls_context(files), TLS1_3_VERSION).resumes(ticket));
  }
  SUBCASE("and those of the old one go") {
    server->tickets.renew();
    CHECK_FALSE(Visitor(server, TLS1_3_VERSION).resumes(ticket));
  }
}

}  // namespace
}  // namespace yuelao::server::ticket_keys_test

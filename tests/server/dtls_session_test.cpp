#include "server/dtls_session.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <array>
#include <deque>
#include <string>

#include "server/random.hpp"
#include "tests/server/certificate.hpp"
#include "tests/server/dtls_end.hpp"
#include "tests/support/hex.hpp"

namespace yuelao::server::dtls_session_test {
namespace {

using test::DtlsEnd;
using test::Octets;
using Handshake = DtlsSession::Handshake;

const FiveTuple alice{Transport::dtls, *Endpoint::parse("192.0.2.1:4000"),
                      *Endpoint::parse("198.51.100.1:5349")};
const FiveTuple bob{Transport::dtls, *Endpoint::parse("192.0.2.2:4000"), alice.server};

struct World {
  test::TemporaryDirectory directory;
  SystemRandom random;
  DtlsCookies cookies{random};
  std::shared_ptr<TlsContext> context =
      load_tls_context(test::make_certificate(directory.path(), "dtls"));
  DtlsSession session{context};
  DtlsEnd client;
  Datagrams out;
  std::size_t longest = 0;

  DtlsSession::Greeting greet(const Octets& hello, const FiveTuple& from) {
    const auto random_of_hello = edge::client_hello_random(hello);
    if (!random_of_hello) return DtlsSession::Greeting::nonsense;
    return session.greet({hello, *random_of_hello, from}, cookies, out);
  }
  // The client's next ClientHello; it has heard what is in `out`.
  Octets hello() {
    hear();
    SSL_do_handshake(client.ssl());
    return client.said().at(0);
  }
  void hear() {
    for (std::size_t i = 0; i < out.count(); ++i) {
      longest = std::max(longest, out[i].size());
      client.hear(out[i]);
    }
    out.clear();
  }
  // Everything after the greeting.
  Handshake shake_hands() {
    auto state = session.handshake(out);
    for (int flight = 0; flight < 4 && state == Handshake::unfinished; ++flight) {
      hear();
      SSL_do_handshake(client.ssl());
      for (const auto& datagram : client.said()) {
        session.give(datagram);
        state = session.handshake(out);
      }
    }
    hear();
    SSL_do_handshake(client.ssl());
    return state;
  }
  Handshake begin() {
    greet(hello(), alice);
    greet(hello(), alice);
    return shake_hands();
  }
  std::string decrypted(Octets datagram) {
    std::string text;
    session.give(datagram);
    MutableBytes room{datagram};
    for (auto size = session.read(room, out); size && *size > 0; size = session.read(room, out)) {
      text += as_text(room.first(*size));
      room = room.subspan(*size);
    }
    return text;
  }
};

TEST_CASE("a client that repeats the cookie sent to its address gets its keys") {
  World world;
  const auto first = world.hello();
  CHECK(world.greet(first, alice) == DtlsSession::Greeting::challenged);
  REQUIRE(world.out.count() == 1);
  CHECK(world.out[0].size() <= first.size());  // nobody is worth forging an address for
  CHECK(world.greet(world.hello(), alice) == DtlsSession::Greeting::verified);
  CHECK(world.shake_hands() == Handshake::done);
  CHECK(SSL_is_init_finished(world.client.ssl()) == 1);
  CHECK(std::string{SSL_get_version(world.client.ssl())} == "DTLSv1.2");
  // RFC 7350 §3, RFC 6347 §4.1.1.1: no flight needs IP's fragments.
  CHECK(world.longest <= DtlsSession::handshake_bytes);

  world.client.write("a question");
  CHECK(world.decrypted(world.client.said().at(0)) == "a question");
  REQUIRE(world.session.write(as_bytes("an answer"), world.out));
  CHECK(world.out.count() == 1);
  world.hear();
  CHECK(world.client.read() == "an answer");
}

TEST_CASE("a cookie is good for one address and one handshake, and not for long") {
  World world;
  world.greet(world.hello(), alice);
  auto answered = world.hello();
  SUBCASE("another address") {
    CHECK(world.greet(answered, bob) == DtlsSession::Greeting::challenged);
  }
  SUBCASE("another server address") {
    auto elsewhere = alice;
    elsewhere.server.port = 3478;
    CHECK(world.greet(answered, elsewhere) == DtlsSession::Greeting::challenged);
  }
  SUBCASE("another random") {
    answered[30] ^= std::byte{1};
    CHECK(world.greet(answered, alice) == DtlsSession::Greeting::challenged);
  }
  SUBCASE("after one change of keys") {
    world.cookies.advance(SteadyTime{} + std::chrono::hours{1});
    CHECK(world.greet(answered, alice) == DtlsSession::Greeting::verified);
  }
  SUBCASE("before the key has had its time") {
    world.cookies.advance(SteadyTime{} + std::chrono::hours{1});
    world.cookies.advance(SteadyTime{} + std::chrono::hours{1} + DtlsCookies::lifetime / 2);
    CHECK(world.greet(answered, alice) == DtlsSession::Greeting::verified);
  }
  SUBCASE("after two") {
    world.cookies.advance(SteadyTime{} + std::chrono::hours{1});
    world.cookies.advance(SteadyTime{} + std::chrono::hours{2});
    CHECK(world.greet(answered, alice) == DtlsSession::Greeting::challenged);
  }
}

TEST_CASE("one session greets many and keeps nothing of them") {
  World world;
  const auto hello = world.hello();
  for (int i = 0; i < 1000; ++i) {
    CHECK(world.greet(hello, i % 2 == 0 ? alice : bob) == DtlsSession::Greeting::challenged);
    world.out.clear();
  }
  // What was verified and not taken is greeted over.
  world.greet(hello, alice);
  world.hear();
  SSL_do_handshake(world.client.ssl());
  const auto answered = world.client.said().at(0);
  CHECK(world.greet(answered, alice) == DtlsSession::Greeting::verified);
  CHECK(world.greet(hello, bob) == DtlsSession::Greeting::challenged);
  world.out.clear();
  CHECK(world.greet(answered, alice) == DtlsSession::Greeting::verified);
  CHECK(world.shake_hands() == Handshake::done);
}

TEST_CASE("what is no ClientHello is answered with silence") {
  World world;
  const auto hello = world.hello();
  for (std::size_t size = 0; size < hello.size(); ++size) {
    const Octets cut(hello.begin(), hello.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(world.greet(cut, alice) == DtlsSession::Greeting::nonsense);
  }
  CHECK(world.out.count() == 0);
}

TEST_CASE("a flight that is lost is sent again") {  // RFC 6347 §4.2.4
  World world;
  world.greet(world.hello(), alice);
  REQUIRE(world.greet(world.hello(), alice) == DtlsSession::Greeting::verified);
  REQUIRE(world.session.handshake(world.out) == Handshake::unfinished);
  const auto flight = world.out.bytes();
  const auto wait = world.session.retransmits_in();
  REQUIRE(wait.has_value());
  CHECK(*wait <= std::chrono::seconds{1});
  world.out.clear();
  // Before its time nothing happens.
  CHECK(world.session.handshake(world.out) == Handshake::unfinished);
  CHECK(world.out.count() == 0);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  while (world.out.count() == 0 && std::chrono::steady_clock::now() < until) {
    REQUIRE(world.session.handshake(world.out) == Handshake::unfinished);
  }
  CHECK(world.out.bytes() == flight);
  CHECK(world.shake_hands() == Handshake::done);
  CHECK_FALSE(world.session.retransmits_in().has_value());
}

TEST_CASE("the server's last flight is sent again to a client that has not got it") {
  World world;
  world.greet(world.hello(), alice);
  REQUIRE(world.greet(world.hello(), alice) == DtlsSession::Greeting::verified);
  REQUIRE(world.session.handshake(world.out) == Handshake::unfinished);
  world.hear();
  SSL_do_handshake(world.client.ssl());
  const auto last_of_client = world.client.said();
  auto state = Handshake::unfinished;
  for (const auto& datagram : last_of_client) {
    world.session.give(datagram);
    state = world.session.handshake(world.out);
  }
  REQUIRE(state == Handshake::done);
  world.out.clear();  // lost
  std::vector<Octets> again;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  while (again.empty() && std::chrono::steady_clock::now() < until) {
    SSL_ctrl(world.client.ssl(), DTLS_CTRL_HANDLE_TIMEOUT, 0, nullptr);
    again = world.client.said();
  }
  for (const auto& datagram : again) CHECK(world.decrypted(datagram).empty());
  REQUIRE(world.out.count() > 0);
  world.hear();
  CHECK(SSL_do_handshake(world.client.ssl()) == 1);
}

TEST_CASE("records that were changed, repeated or made up are passed over") {
  World world;
  REQUIRE(world.begin() == Handshake::done);
  world.client.write("one");
  const auto record = world.client.said().at(0);
  auto changed = record;
  changed.back() ^= std::byte{1};
  CHECK(world.decrypted(changed).empty());
  CHECK(world.decrypted(record) == "one");
  CHECK(world.decrypted(record).empty());  // RFC 6347 §4.1.2.6
  CHECK(world.decrypted(Octets(40, std::byte{22})).empty());
  CHECK(world.decrypted({std::byte{23}}).empty());
  // An alert that anybody could send ends nothing.
  CHECK(world.decrypted(test::from_hex("15 fefd 0000 000000000009 0002 0228")).empty());
  world.client.write("two");
  CHECK(world.decrypted(world.client.said().at(0)) == "two");
}

TEST_CASE("several records of one datagram are decrypted in their place") {
  World world;
  REQUIRE(world.begin() == Handshake::done);
  Octets datagram;
  for (const auto* text : {"one, ", "two, ", "three"}) {
    world.client.write(text);
    const auto record = world.client.said().at(0);
    datagram.insert(datagram.end(), record.begin(), record.end());
  }
  CHECK(world.decrypted(datagram) == "one, two, three");
}

TEST_CASE("messages of every length that fits a record, and none above") {
  World world;
  REQUIRE(world.begin() == Handshake::done);
  for (const std::size_t size : {std::size_t{1}, std::size_t{1200}, DtlsSession::message_limit}) {
    const std::string text(size, 'u');
    REQUIRE(world.session.write(as_bytes(text), world.out));
    world.hear();
    CHECK(world.client.read() == text);
    world.client.write(text);
    CHECK(world.decrypted(world.client.said().at(0)) == text);
  }
  CHECK_FALSE(
      world.session.write(as_bytes(std::string(DtlsSession::message_limit + 1, 'u')), world.out));
  // It costs the session nothing, and neither does giving back its buffers.
  world.session.release_buffers();
  REQUIRE(world.session.write(as_bytes("on"), world.out));
  world.hear();
  CHECK(world.client.read() == "on");
}

TEST_CASE("close_notify is understood, and said") {
  World world;
  REQUIRE(world.begin() == Handshake::done);
  SUBCASE("by the client") {
    SSL_shutdown(world.client.ssl());
    auto alert = world.client.said().at(0);
    world.session.give(alert);
    CHECK(world.session.read(alert, world.out).error() == DtlsSession::End::closed);
  }
  SUBCASE("by the server") {
    world.session.close(world.out);
    world.hear();
    world.client.read();
    CHECK((SSL_get_shutdown(world.client.ssl()) & SSL_RECEIVED_SHUTDOWN) != 0);
  }
}

TEST_CASE("a client that wants new keys on the way is refused them") {  // RFC 9325 §3.5
  World world;
  REQUIRE(world.begin() == Handshake::done);
  SSL_renegotiate(world.client.ssl());
  SSL_do_handshake(world.client.ssl());
  for (const auto& datagram : world.client.said()) CHECK(world.decrypted(datagram).empty());
  CHECK(world.out.bytes() < 100);  // an alert
}

TEST_CASE("ALPN is answered over DTLS when it names STUN, and asked of nobody") {  // RFC 7443
  struct Row {
    std::string_view offered;
    std::string_view selected;
  };
  constexpr Row rows[] = {{"stun.turn", "stun.turn"},
                          {"stun.nat-discovery", "stun.nat-discovery"},
                          {"http/1.1", ""},
                          {"", ""}};
  for (const auto& [offered, selected] : rows) {
    CAPTURE(offered);
    World world;
    world.client.offer(offered);
    REQUIRE(world.begin() == Handshake::done);
    CHECK(world.client.selected() == selected);
  }
}

TEST_CASE("nothing older than DTLS 1.2 is spoken") {  // RFC 9325 §3.1.2
  World world;
  world.client.speak(DTLS1_VERSION);
  CHECK(world.begin() == Handshake::failed);
}

}  // namespace
}  // namespace yuelao::server::dtls_session_test

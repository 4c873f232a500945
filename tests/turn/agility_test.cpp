// What RFC 8489 §9.2 added to the long-term credentials of RFC 5389: password algorithms,
// HMAC-SHA256, anonymous users, and nonces that say so.

#include <functional>

#include <doctest/doctest.h>

#include "protocol/stun/credentials.hpp"
#include "protocol/stun/integrity.hpp"
#include "protocol/stun/security_features.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test::agility_test {
namespace {

using stun::Integrity;
using stun::KeyAlgorithm;

constexpr auto sha256_then_md5 = std::string_view{"\0\2\0\0\0\1\0\0", 8};
constexpr stun::Attribute<Bytes> raw_algorithms{attribute::password_algorithms.type};
constexpr stun::Attribute<Bytes> raw_algorithm{attribute::password_algorithm.type};
constexpr stun::Attribute<Bytes> raw_userhash{attribute::userhash.type};

Options static_users_only() {
  auto options = default_options();
  options.credentials.rest_secrets.clear();
  return options;
}

Options rest_only() {
  auto options = default_options();
  options.credentials.users.clear();
  return options;
}

// A REST user whose name is good for an hour.
Client rest_client(World& world, std::string_view address) {
  Client client{world, address};
  client.user = std::to_string((world.now.wall + 1h).time_since_epoch().count()) + ":user";
  client.password = stun::rest_password("new-secret", client.user);
  return client;
}

// An Allocate whose credentials a test writes itself.
using Credentials = std::function<void(stun::MessageWriter&, std::string_view nonce)>;
std::optional<Sent> allocate_with(Client& client, const Credentials& credentials) {
  client.request(Method::allocate);  // refused, for want of REQUESTED-TRANSPORT
  return client.unsigned_request(Method::allocate,
                                 [&, nonce = client.nonce](stun::MessageWriter& writer) {
                                   requesting_udp()(writer);
                                   credentials(writer, nonce);
                                 });
}

void name_alice(stun::MessageWriter& writer, std::string_view nonce) {
  writer.add(attribute::username, std::string_view{"alice"})
      .add(attribute::realm, std::string_view{"yuelao"})
      .add(attribute::nonce, nonce);
}

stun::LongTermKey alices_key(KeyAlgorithm algorithm) {
  return {algorithm, "alice", "yuelao", "wonderland"};
}

}  // namespace

TEST_CASE("a challenge offers SHA-256 and MD5, and its nonce says so") {  // §9.2, §14.11
  World world;
  Client client{world, "203.0.112.9:1"};
  const auto answer = client.unsigned_request(Method::allocate, requesting_udp());
  const auto message = answer->message();
  CHECK(as_text(message.value_of(attribute::password_algorithms.type).value()) == sha256_then_md5);
  const auto nonce = message.get(attribute::nonce).value();
  CHECK(nonce.starts_with("obMatJos2gAAA"));
  CHECK(nonce.size() < 128);  // §14.10
  CHECK(stun::security_features_of(nonce).password_algorithms);
}

TEST_CASE("a 438 offers the algorithms as well") {  // §9.2.4
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  world.pass(600s);
  const auto stale = client.request(Method::refresh);
  REQUIRE(code_of(stale) == 438);
  CHECK(stale->message().has(attribute::password_algorithms.type));
  CHECK(stale->message().get(attribute::nonce)->starts_with("obMatJos2gAAA"));
  CHECK_FALSE(stale->message().has(attribute::username.type));
}

TEST_CASE("a challenge is three times what a browser sends, and no more") {
  World world;
  Client client{world, "203.0.112.9:1"};
  const auto request = client.compose(Method::allocate, requesting_udp());
  const auto challenge = client.send(request).at(0);
  CHECK(request.size() == 28);
  CHECK(challenge.bytes.size() == 84);
}

TEST_CASE("anonymity is offered only where every user can be found by a hash") {  // §9.2.5
  struct Row {
    std::string_view what;
    Options options;
    bool offered;
  };
  auto nobody = static_users_only();
  nobody.credentials.users.clear();
  const Row rows[] = {{"static users", static_users_only(), true},
                      {"static users and REST secrets", default_options(), false},
                      {"REST secrets", rest_only(), false},
                      {"nobody", nobody, false}};
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world{row.options};
    Client client{world, "203.0.112.9:1"};
    client.request(Method::allocate);
    CHECK(stun::security_features_of(client.nonce).user_anonymity == row.offered);
  }
}

TEST_CASE("every way to sign is accepted, and answered in kind") {  // §9.2.4
  struct Row {
    std::string_view what;
    std::optional<KeyAlgorithm> algorithm;
    bool anonymous;
  };
  constexpr Row rows[] = {{"RFC 5389", std::nullopt, false},
                          {"SHA-256", KeyAlgorithm::sha256, false},
                          {"MD5 by choice", KeyAlgorithm::md5, false},
                          {"SHA-256 and USERHASH", KeyAlgorithm::sha256, true},
                          {"RFC 5389 and USERHASH", std::nullopt, true}};
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    Client client{world, "203.0.112.9:1"};
    client.algorithm = row.algorithm;
    client.anonymous = row.anonymous;
    const auto answer = client.request(Method::allocate, requesting_udp());
    REQUIRE(code_of(answer) == 0);
    CHECK(world.notices.at(0).user == "alice");
    for (const auto& reply : {answer, client.request(Method::refresh)}) {
      REQUIRE(code_of(reply) == 0);
      const auto key = alices_key(row.algorithm.value_or(KeyAlgorithm::md5));
      const auto message = reply->message();
      CHECK(stun::verify_integrity_sha256(message, key.bytes()) ==
            (row.algorithm ? Integrity::valid : Integrity::missing));
      CHECK(stun::verify_integrity(message, key.bytes()) ==
            (row.algorithm ? Integrity::missing : Integrity::valid));
      for (const auto type : {attribute::username.type, attribute::userhash.type,
                              attribute::realm.type, attribute::nonce.type}) {
        CHECK_FALSE(message.has(type));
      }
    }
  }
}

TEST_CASE("a refusal to a user who is known is signed in kind too") {  // §9.2.4
  World world;
  Client client{world, "203.0.112.9:1"};
  client.algorithm = KeyAlgorithm::sha256;
  const auto answer = client.request(Method::refresh);
  REQUIRE(code_of(answer) == 437);
  CHECK(stun::verify_integrity_sha256(
            answer->message(), alices_key(KeyAlgorithm::sha256).bytes()) == Integrity::valid);
}

TEST_CASE("a REST name works with SHA-256 keys, and its allocation outlives it") {
  World world{rest_only()};
  auto client = rest_client(world, "203.0.112.9:1");
  client.algorithm = KeyAlgorithm::sha256;
  client.allocate();
  REQUIRE(code_of(client.request(Method::refresh, [](stun::MessageWriter& writer) {
            writer.add(attribute::lifetime, 3600s);
          })) == 0);
  world.pass(3599s);
  client.nonce.clear();
  CHECK(code_of(client.request(Method::refresh)) == 0);
  world.pass(2s);  // the name ends, the allocation does not
  CHECK(code_of(client.request(Method::refresh)) == 0);
}

TEST_CASE("a REST name is found by its USERHASH once it has an allocation, and not before") {
  World world{rest_only()};
  auto client = rest_client(world, "203.0.112.9:1");
  for (const auto algorithm : {KeyAlgorithm::md5, KeyAlgorithm::sha256}) {
    client.algorithm = algorithm;
    client.anonymous = true;
    CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 401);
  }
  client.anonymous = false;
  client.allocate();
  client.anonymous = true;
  CHECK(code_of(client.request(Method::refresh)) == 0);
  client.permit("192.0.78.1:1");
  // Also with the other algorithm, whose key is not the allocation's.
  client.algorithm = KeyAlgorithm::md5;
  client.bind(0x4000, "192.0.78.1:1");
  // Not from elsewhere, and not when the allocation has gone.
  auto stranger = rest_client(world, "203.0.112.9:2");
  stranger.anonymous = true;
  CHECK(code_of(stranger.request(Method::allocate, requesting_udp())) == 401);
  world.pass_silently(601s);
  client.nonce.clear();
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 401);
}

TEST_CASE("USERHASH and USERNAME on one allocation are one user") {  // RFC 8656 §5
  World world;
  Client alice{world, "203.0.112.9:1"};
  alice.anonymous = true;
  alice.allocate();
  alice.anonymous = false;
  CHECK(code_of(alice.request(Method::refresh)) == 0);
  Client bob{world, "203.0.112.9:1"};
  bob.user = "bob";
  bob.password = "builder";
  bob.anonymous = true;
  CHECK(code_of(bob.request(Method::refresh)) == 441);
}

TEST_CASE("an unknown USERHASH and a wrong password are answered alike") {
  for (const auto& options : {static_users_only(), default_options()}) {
    World world{options};
    Client wrong{world, "203.0.112.9:1"};
    wrong.password = "guess";
    Client unknown{world, "203.0.112.9:1"};
    unknown.user = "mallory";
    unknown.anonymous = true;
    const auto first = wrong.request(Method::allocate, requesting_udp());
    const auto second = unknown.request(Method::allocate, requesting_udp());
    CHECK(code_of(first) == 401);
    CHECK(first->bytes == second->bytes);
  }
}

TEST_CASE("a key of zeros proves nothing for a USERHASH that nobody has") {
  World world{static_users_only()};
  Client client{world, "203.0.112.9:1"};
  const auto zeros = stun::LongTermKey{};
  const auto answer =
      allocate_with(client, [&](stun::MessageWriter& writer, std::string_view nonce) {
        writer.add(attribute::userhash, stun::UserHash{})
            .add(attribute::realm, std::string_view{"yuelao"})
            .add(attribute::nonce, nonce)
            .add_integrity(zeros.bytes());
      });
  CHECK(code_of(answer) == 401);
}

TEST_CASE("password algorithms that were not offered so are a bad request") {  // §9.2.4
  struct Row {
    std::string_view what;
    std::optional<std::string_view> algorithms, algorithm;
    int code;
  };
  constexpr std::string_view sha256{"\0\2\0\0", 4}, md5{"\0\1\0\0", 4};
  constexpr Row rows[] = {
      {"as offered", sha256_then_md5, sha256, 0},
      {"no choice", sha256_then_md5, {}, 400},
      {"no list", {}, sha256, 400},
      {"a list without the better one", md5, md5, 400},
      {"another order", std::string_view{"\0\1\0\0\0\2\0\0", 8}, sha256, 400},
      {"one more", std::string_view{"\0\2\0\0\0\1\0\0\0\3\0\0", 12}, sha256, 400},
      {"an empty list", std::string_view{}, sha256, 400},
      {"a choice that was not offered", sha256_then_md5, std::string_view{"\0\3\0\0", 4}, 400},
      {"algorithm 0, which is reserved", sha256_then_md5, std::string_view{"\0\0\0\0", 4}, 400},
      {"parameters that were not offered", sha256_then_md5, std::string_view{"\0\2\0\1x\0\0\0", 8},
       400},
      {"a choice cut short", sha256_then_md5, std::string_view{"\0\2", 2}, 400},
      {"an empty choice", sha256_then_md5, std::string_view{}, 400},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    Client client{world, "203.0.112.9:1"};
    const auto answer =
        allocate_with(client, [&](stun::MessageWriter& writer, std::string_view nonce) {
          name_alice(writer, nonce);
          if (row.algorithms) writer.add(raw_algorithms, as_bytes(*row.algorithms));
          if (row.algorithm) writer.add(raw_algorithm, as_bytes(*row.algorithm));
          writer.add_integrity_sha256(alices_key(KeyAlgorithm::sha256).bytes());
        });
    CHECK(code_of(answer) == row.code);
    if (row.code == 400) {
      CHECK_FALSE(answer->message().has(attribute::realm.type));
      CHECK_FALSE(answer->message().has(attribute::nonce.type));
    }
  }
}

TEST_CASE("the key is the one of the algorithm that was chosen") {  // §18.5.1
  for (const auto chosen : {KeyAlgorithm::md5, KeyAlgorithm::sha256}) {
    for (const auto used : {KeyAlgorithm::md5, KeyAlgorithm::sha256}) {
      World world;
      Client client{world, "203.0.112.9:1"};
      const auto answer =
          allocate_with(client, [&](stun::MessageWriter& writer, std::string_view nonce) {
            name_alice(writer, nonce);
            writer.add(raw_algorithms, as_bytes(sha256_then_md5))
                .add(attribute::password_algorithm, {static_cast<std::uint16_t>(chosen), {}})
                .add_integrity_sha256(alices_key(used).bytes());
          });
      CHECK(code_of(answer) == (chosen == used ? 0 : 401));
    }
  }
}

TEST_CASE("an allocation's key does not stand for another algorithm's") {  // §18.5.1
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();  // with MD5
  const auto refresh = [&, nonce = client.nonce](stun::MessageWriter& writer) {
    name_alice(writer, nonce);
    writer.add(raw_algorithms, as_bytes(sha256_then_md5))
        .add(attribute::password_algorithm, {2, {}})
        .add_integrity_sha256(alices_key(KeyAlgorithm::md5).bytes());
  };
  CHECK(code_of(client.unsigned_request(Method::refresh, refresh)) == 401);
}

TEST_CASE("MESSAGE-INTEGRITY-SHA256 counts where both are there") {  // §9.2.4
  struct Row {
    std::string_view what, sha1, sha256;
    int code;
  };
  constexpr Row rows[] = {{"both right", "wonderland", "wonderland", 0},
                          {"the weaker one wrong", "guess", "wonderland", 0},
                          {"the better one wrong", "wonderland", "guess", 401}};
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    Client client{world, "203.0.112.9:1"};
    const auto answer =
        allocate_with(client, [&](stun::MessageWriter& writer, std::string_view nonce) {
          name_alice(writer, nonce);
          writer.add_integrity(stun::long_term_key("alice", "yuelao", row.sha1))
              .add_integrity_sha256(stun::long_term_key("alice", "yuelao", row.sha256));
        });
    CHECK(code_of(answer) == row.code);
    // Neither algorithm was named: the answer is RFC 5389's.
    if (row.code == 0) {
      CHECK(stun::verify_integrity(answer->message(), alices_key(KeyAlgorithm::md5).bytes()) ==
            Integrity::valid);
    }
  }
}

TEST_CASE("a truncated MESSAGE-INTEGRITY-SHA256 is refused: TURN allows none") {  // §14.6
  for (const std::size_t size : {16U, 20U, 24U, 28U, 32U}) {
    CAPTURE(size);
    World world;
    Client client{world, "203.0.112.9:1"};
    const auto answer =
        allocate_with(client, [&](stun::MessageWriter& writer, std::string_view nonce) {
          name_alice(writer, nonce);
          writer.add_integrity_sha256(alices_key(KeyAlgorithm::md5).bytes(), size);
        });
    CHECK(code_of(answer) == (size == 32 ? 0 : 401));
  }
}

TEST_CASE("a USERHASH that is not 32 octets is as none") {  // §14.4
  for (const std::size_t size : {0U, 31U, 33U}) {
    World world;
    Client client{world, "203.0.112.9:1"};
    const std::string hash(size, 'x');
    const auto answer =
        allocate_with(client, [&](stun::MessageWriter& writer, std::string_view nonce) {
          writer.add(raw_userhash, as_bytes(hash))
              .add(attribute::realm, std::string_view{"yuelao"})
              .add(attribute::nonce, nonce)
              .add_integrity(alices_key(KeyAlgorithm::md5).bytes());
        });
    CHECK(code_of(answer) == 400);
  }
}

TEST_CASE("features taken out of a nonce make it stale, whatever else was taken") {  // §9.2.1
  World world;
  Client client{world, "203.0.112.9:1"};
  client.request(Method::allocate);
  const auto good = client.nonce;
  for (const auto* cookie : {"obMatJos2AAAA", "obMatJos2QAAA", "obMatJos2wAAA", "obMatJos2gAAB"}) {
    CAPTURE(cookie);
    client.nonce = cookie + good.substr(stun::nonce_cookie_size);
    CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 438);
  }
  // Without its cookie it is no nonce of this server's either.
  client.nonce = good.substr(stun::nonce_cookie_size);
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 438);
  client.nonce = good;
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 0);
}

TEST_CASE("a nonce is good across a reload that changes what is offered") {
  World world{static_users_only()};
  Client client{world, "203.0.112.9:1"};
  client.anonymous = true;
  client.allocate();
  world.reconfigure(default_options());
  CHECK(code_of(client.request(Method::refresh)) == 0);
}

}  // namespace yuelao::turn::test::agility_test

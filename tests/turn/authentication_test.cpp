// RFC 8489 §9.2.4, with static users and TURN REST names at the same time.

#include <doctest/doctest.h>

#include "protocol/stun/credentials.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test::authentication_test {
TEST_CASE("a request without integrity is challenged") {
  World world;
  Client client{world, "203.0.112.9:1"};
  for (const auto method :
       {Method::allocate, Method::refresh, Method::create_permission, Method::channel_bind}) {
    const auto answer = client.unsigned_request(method, requesting_udp());
    CHECK(code_of(answer) == 401);
    const auto message = answer->message();
    CHECK(message.get(attribute::realm) == "yuelao");
    CHECK(message.get(attribute::nonce).has_value());
    CHECK_FALSE(message.has(attribute::username.type));
    CHECK_FALSE(message.has(attribute::message_integrity.type));
    CHECK(message.get(attribute::error_code)->reason.empty());
  }
}

TEST_CASE("integrity without user name, realm or nonce is a bad request") {
  World world;
  Client client{world, "203.0.112.9:1"};
  const std::string user = "alice", realm = "yuelao", nonce = "n";
  for (int missing = 0; missing < 3; ++missing) {
    CAPTURE(missing);
    const auto answer = client.unsigned_request(Method::allocate, [&](stun::MessageWriter& writer) {
      requesting_udp()(writer);
      if (missing != 0) writer.add(attribute::username, std::string_view{user});
      if (missing != 1) writer.add(attribute::realm, std::string_view{realm});
      if (missing != 2) writer.add(attribute::nonce, std::string_view{nonce});
      writer.add_integrity(stun::long_term_key("alice", "yuelao", "wonderland"));
    });
    CHECK(code_of(answer) == 400);
    CHECK_FALSE(answer->message().has(attribute::realm.type));
    CHECK_FALSE(answer->message().has(attribute::nonce.type));
  }
}

TEST_CASE("an unknown user and a wrong password are answered alike") {
  World world;
  Client wrong{world, "203.0.112.9:1"};
  wrong.password = "guess";
  Client unknown{world, "203.0.112.9:1"};
  unknown.user = "mallory";
  const auto first = wrong.request(Method::allocate, requesting_udp());
  const auto second = unknown.request(Method::allocate, requesting_udp());
  CHECK(code_of(first) == 401);
  CHECK(first->bytes == second->bytes);
  CHECK(first->message().get(attribute::realm) == "yuelao");
  CHECK(first->message().has(attribute::nonce.type));
}

TEST_CASE("whoever is named, as many keys are made and tried") {
  Credentials credentials = default_options().credentials;
  REQUIRE_FALSE(credentials.users.empty());
  REQUIRE(credentials.rest_secrets.size() == 2);
  const auto& known = credentials.users.front().name;
  const WallTime now{1'900'000'000s};
  for (const std::size_t secrets : {2U, 1U, 0U}) {
    CAPTURE(secrets);
    credentials.rest_secrets.resize(secrets);
    const Users users{credentials, "yuelao"};
    struct Row {
      std::string_view what;
      std::string name;
      std::size_t genuine;
    };
    const Row rows[] = {{"a static user", known, 1},
                        {"nobody", "mallory", 0},
                        {"a REST name", "1900000060:x", secrets},
                        {"an expired one", "1900000000:x", 0}};
    for (const auto& row : rows) {
      CAPTURE(row.what);
      const auto candidates = users.candidates_for(row.name, stun::KeyAlgorithm::md5, now);
      CHECK(candidates.proofs.size() == std::max<std::size_t>(secrets, 1));
      CHECK(candidates.genuine == row.genuine);
    }
  }
}

TEST_CASE("a secret makes no password for a static user") {
  World world;
  Client client{world, "203.0.112.9:1"};
  for (const auto* secret : {"old-secret", "new-secret"}) {
    use_rest(client, secret, default_options().credentials.users.front().name);
    CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 401);
  }
}

TEST_CASE("a wrong password is told before a stale nonce") {  // RFC 8489 §9.2.4, in its order
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.password = "guess";
  client.nonce = "stale";
  CHECK(code_of(client.request(Method::refresh)) == 401);
}

TEST_CASE("an answer to a request with credentials repeats none of them") {  // RFC 8489 §9.2.4
  World world;
  Client client{world, "203.0.112.9:1"};
  client.request(Method::allocate);
  const auto success = client.request(Method::allocate, requesting_udp());
  const auto refusal = client.request(Method::create_permission, to_peer("10.0.0.1:1"));
  REQUIRE(code_of(success) == 0);
  REQUIRE(code_of(refusal) == 403);
  for (const auto& answer : {success, refusal}) {
    CHECK(answer->message().has(attribute::message_integrity.type));
    for (const auto type :
         {attribute::username.type, attribute::realm.type, attribute::nonce.type}) {
      CHECK_FALSE(answer->message().has(type));
    }
  }
}

TEST_CASE("a key of zeros proves nothing for a user who does not exist") {
  for (const bool with_secrets : {false, true}) {
    auto options = default_options();
    if (!with_secrets) options.credentials.rest_secrets.clear();
    World world{options};
    Client client{world, "203.0.112.9:1"};
    client.request(Method::allocate);
    const auto answer = client.unsigned_request(Method::allocate, [&](stun::MessageWriter& writer) {
      requesting_udp()(writer);
      writer.add(attribute::username, std::string_view{"mallory"})
          .add(attribute::realm, std::string_view{client.realm})
          .add(attribute::nonce, std::string_view{client.nonce})
          .add_integrity(stun::Md5Key{});
    });
    CHECK(code_of(answer) == 401);
  }
}

TEST_CASE("without any user or secret nobody is let in") {
  auto options = default_options();
  options.credentials = {};
  World world{options};
  Client client{world, "203.0.112.9:1"};
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 401);
  use_rest(client, "", rest_name(world, 60s, ":x"));
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 401);
}

TEST_CASE("every secret is valid, and static users beside them") {
  World world;
  std::uint16_t port = 1;
  const auto client = [&] { return Client{world, "203.0.112.9:" + std::to_string(port++)}; };
  for (const auto* secret : {"old-secret", "new-secret"}) {
    auto with_rest = client();
    use_rest(with_rest, secret, rest_name(world, 60s, ":user"));
    with_rest.allocate();
  }
  auto with_password = client();
  with_password.allocate();
  auto wrong = client();
  use_rest(wrong, "other-secret", rest_name(world, 60s, ":user"));
  CHECK(code_of(wrong.request(Method::allocate, requesting_udp())) == 401);
}

TEST_CASE("a REST name is valid until the second it names") {
  struct Row {
    std::string_view what;
    std::chrono::seconds from_now;
    std::string_view rest;
    int code;
  };
  constexpr Row rows[] = {
      {"a second left", 1s, ":user", 0},
      {"this very second", 0s, ":user", 401},
      {"a second ago", -1s, ":user", 401},
      {"bare expiry, as Jitsi sends it", 60s, "", 0},
      {"only the first colon splits", 60s, ":a:b", 0},
      {"base64 in the name", 60s, ":nLsX+P13/gZ_k-x", 0},
      {"empty name", 60s, ":", 0},
      {"two days are the longest", 48h, ":user", 0},
      {"further in the future", 48h + 1s, ":user", 401},
      {"not a number", 60s, "x:user", 401},
      {"milliseconds", 60s, "000:user", 401},
      {"overflow", 60s, "00000000000000000000:user", 401},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    Client client{world, "203.0.112.9:1"};
    use_rest(client, "new-secret", rest_name(world, row.from_now, row.rest));
    CHECK(code_of(client.request(Method::allocate, requesting_udp())) == row.code);
  }
}

TEST_CASE("without a longest lifetime every second to come is one a REST name may name") {
  struct Row {
    std::string_view what;
    std::string name;
    int code;
  };
  const Row rows[] = {
      {"milliseconds, as an old BigBlueButton sends", "1900000000000:user", 0},
      {"the last second there is", "9223372036854775807:user", 0},
      {"one more", "9223372036854775808:user", 401},
      {"a second of the past", "1000000000:user", 401},
      {"the first second there is", "-9223372036854775808:user", 401},
  };
  auto unlimited = default_options();
  unlimited.credentials.longest_rest_lifetime.reset();
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world{unlimited};
    Client client{world, "203.0.112.9:1"};
    use_rest(client, "new-secret", row.name);
    CHECK(code_of(client.request(Method::allocate, requesting_udp())) == row.code);
  }
}

TEST_CASE("names that are no time are no REST names") {
  World world;
  for (const std::string name :
       {"-1:user", " 1900000000:user", "+1900000000", ":user", "1e9:user"}) {
    CAPTURE(name);
    Client client{world, "203.0.112.9:1"};
    use_rest(client, "new-secret", name);
    CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 401);
  }
}

TEST_CASE("an allocation outlives the REST name that made it") {
  World world;
  Client client{world, "203.0.112.9:1"};
  use_rest(client, "new-secret", rest_name(world, 60s, ":user"));
  client.allocate();
  world.pass(61s);
  CHECK(code_of(client.request(Method::refresh)) == 0);
  Client late{world, "203.0.112.9:2"};
  use_rest(late, "new-secret", client.user);
  CHECK(code_of(late.request(Method::allocate, requesting_udp())) == 401);
}

TEST_CASE("a nonce is good for its lifetime, then 438 brings a new one") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  world.pass(599s);
  CHECK(code_of(client.request(Method::refresh)) == 0);
  world.pass(1s);
  const auto stale = client.request(Method::refresh);
  CHECK(code_of(stale) == 438);
  CHECK(stale->message().get(attribute::realm) == "yuelao");
  client.nonce = stale->message().get(attribute::nonce).value();
  CHECK(code_of(client.request(Method::refresh)) == 0);
}

TEST_CASE("a clock that is set to another time ends no call, and judges new ones by what it says") {
  struct Row {
    std::string_view what;
    std::chrono::seconds jump;
    int answer;  // to an Allocate by the same credential
  };
  const Row rows[] = {{"an hour back", -1h, 0},
                      {"twenty years back", -20 * 8766h, 401},  // expires beyond the 48 hours
                      {"a day on", 24h, 401},
                      {"a lifetime of a nonce's bits on", std::chrono::seconds{1 << 24}, 401}};
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    Client client{world, "203.0.112.9:1"};
    use_rest(client, "new-secret", rest_name(world, 2h, ":user"));
    client.allocate();
    client.permit("192.0.78.1:1");
    world.now.wall += row.jump;
    CHECK(world.pass_and_hear(1s).empty());
    CHECK(client.send_data("192.0.78.1:1", "goes on").size() == 1);
    const auto stale = client.request(Method::refresh);
    CHECK(code_of(stale) == 438);
    client.nonce = stale->message().get(attribute::nonce).value();
    CHECK(code_of(client.request(Method::refresh)) == 0);
    Client again{world, "203.0.112.9:2"};
    again.user = client.user;
    again.password = client.password;
    CHECK(code_of(again.request(Method::allocate, requesting_udp())) == row.answer);
  }
}

TEST_CASE("a nonce works only from the address and port it was given to") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.request(Method::allocate, requesting_udp());
  for (const auto* other : {"203.0.112.9:2", "203.0.112.8:1", "[2001:470::9]:1"}) {
    CAPTURE(other);
    Client thief{world, other};
    thief.nonce = client.nonce;
    CHECK(code_of(thief.request(Method::allocate, requesting_udp())) == 438);
  }
}

TEST_CASE("a nonce that was changed, cut or made up is stale") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.request(Method::allocate);
  const auto good = client.nonce;
  for (std::size_t i = 0; i < good.size(); ++i) {
    CAPTURE(i);
    client.nonce = good;
    client.nonce[i] = client.nonce[i] == 'a' ? 'b' : 'a';
    CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 438);
  }
  for (const auto& other :
       {good.substr(1), good + "a", std::string(28, '0'), std::string(128, 'x')}) {
    client.nonce = other;
    CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 438);
  }
}

TEST_CASE("a nonce does not come round again with the bits of its time") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.request(Method::allocate);
  world.pass_silently(std::chrono::seconds{1 << 24});
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 438);
}

TEST_CASE("servers with one nonce key take each other's nonces, others do not") {
  World world;
  World twin;
  auto options = default_options();
  options.nonce_key = Secret{"another key of thirty-two octets"};
  World stranger{options};
  Client client{world, "203.0.112.9:1"};
  client.request(Method::allocate);
  Client at_twin{twin, "203.0.112.9:1"};
  at_twin.nonce = client.nonce;
  at_twin.allocate();
  Client at_stranger{stranger, "203.0.112.9:1"};
  at_stranger.nonce = client.nonce;
  CHECK(code_of(at_stranger.request(Method::allocate, requesting_udp())) == 438);
}

TEST_CASE("another user's request on an allocation is refused") {  // RFC 8656 §5
  World world;
  Client alice{world, "203.0.112.9:1"};
  alice.allocate();
  Client bob{world, "203.0.112.9:1"};
  bob.user = "bob";
  bob.password = "builder";
  CHECK(code_of(bob.request(Method::refresh)) == 441);
  CHECK(code_of(bob.request(Method::create_permission, to_peer("192.0.78.1:1"))) == 441);
  CHECK(code_of(bob.request(Method::channel_bind, to_channel(0x4000, "192.0.78.1:1"))) == 441);
  CHECK(code_of(alice.request(Method::refresh)) == 0);
}

TEST_CASE("the password of an allocation's user does not prove another name") {
  World world;
  Client alice{world, "203.0.112.9:1"};
  alice.allocate();
  Octets buffer(512);
  stun::MessageWriter writer{buffer, Method::refresh, stun::Class::request,
                             stun::TransactionId::from_random(std::array<std::byte, 12>{})};
  writer.add(attribute::username, std::string_view{"bob"})
      .add(attribute::realm, std::string_view{alice.realm})
      .add(attribute::nonce, std::string_view{alice.nonce})
      .add_integrity(stun::long_term_key("alice", "yuelao", "wonderland"));
  CHECK(code_of(alice.send(writer.finish()).at(0)) == 401);
}

TEST_CASE("every request but Allocate needs an allocation") {  // RFC 8656 §5
  World world;
  Client client{world, "203.0.112.9:1"};
  CHECK(code_of(client.request(Method::refresh)) == 437);
  CHECK(code_of(client.request(Method::create_permission, to_peer("192.0.78.1:1"))) == 437);
  CHECK(code_of(client.request(Method::channel_bind, to_channel(0x4000, "192.0.78.1:1"))) == 437);
}

TEST_CASE("attributes behind the integrity are not read") {  // RFC 8489 §14.5
  World world;
  Client client{world, "203.0.112.9:1"};
  client.request(Method::allocate);
  auto message = client.compose(Method::allocate, requesting_udp());
  // An attribute that would be answered with 420, appended by somebody on the path.
  const auto extra = octets(std::string_view{"\x7F\x01\0\0", 4});
  message.insert(message.end(), extra.begin(), extra.end());
  store_u16(MutableBytes{message}.subspan(2), static_cast<std::uint16_t>(message.size() - 20));
  CHECK(code_of(client.send(message).front()) == 0);
}

TEST_CASE("a changed octet under the integrity is refused") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.request(Method::allocate);
  auto message = client.compose(Method::allocate, [](stun::MessageWriter& writer) {
    requesting_udp()(writer);
    writer.add(attribute::lifetime, 700s);
  });
  message[35] ^= std::byte{1};  // the last octet of LIFETIME
  CHECK(code_of(client.send(message).front()) == 401);
}

}  // namespace yuelao::turn::test::authentication_test

// RFC 8656 §8.2, and how allocations end.

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::refresh_test {
namespace {

Client::Fill lifetime(std::chrono::seconds value) {
  return [value](stun::MessageWriter& writer) { writer.add(attribute::lifetime, value); };
}

Client::Fill family(Family value) {
  return [value](stun::MessageWriter& writer) {
    writer.add(attribute::requested_address_family, value);
  };
}

}  // namespace

TEST_CASE("an allocation lives to its last second and no longer") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  const auto permit = [&] {
    client.nonce.clear();
    return code_of(client.request(Method::create_permission, to_peer("192.0.78.1:1")));
  };
  SUBCASE("whether or not the engine has looked") {
    world.pass_silently(599s);
    CHECK(permit() == 0);
    world.pass_silently(1s);
    CHECK(permit() == 437);
  }
  SUBCASE("and its relay is closed once") {
    world.pass(599s);
    CHECK(world.closed.empty());
    world.pass(2s);
    CHECK(world.closed == world.opened);
    CHECK(world.engine.counters().allocations_expired == 1);
    world.pass(10s);
    CHECK(world.closed.size() == 1);
  }
}

TEST_CASE("an expired allocation is none, before the engine has looked") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  world.pass_silently(600s);
  client.nonce.clear();
  CHECK(code_of(client.request(Method::refresh)) == 437);
  client.allocate();
  CHECK(world.engine.allocation_count() == 1);
  CHECK(world.closed.size() == 1);
  CHECK(world.quota.total() == 1);
}

TEST_CASE("a refresh grants the lifetime as Allocate does") {
  struct Row {
    std::optional<std::chrono::seconds> asked;
    std::chrono::seconds granted;
  };
  const Row rows[] = {{std::nullopt, 600s}, {1s, 600s},     {600s, 600s},
                      {601s, 601s},         {3600s, 3600s}, {3601s, 3600s}};
  for (const auto& [asked, granted] : rows) {
    World world;
    Client client{world, "203.0.112.9:1"};
    client.allocate();
    const auto answer = client.request(Method::refresh, asked ? lifetime(*asked) : Client::Fill{});
    REQUIRE(code_of(answer) == 0);
    CHECK(answer->message().get(attribute::lifetime) == granted);
    world.pass(granted - 1s);
    CHECK(world.closed.empty());
    world.pass(2s);
    CHECK(world.closed.size() == 1);
  }
}

TEST_CASE("a refresh can also shorten what is left") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.request(Method::refresh, lifetime(3600s));
  world.pass(1000s);
  client.nonce.clear();
  REQUIRE(code_of(client.request(Method::refresh, lifetime(600s))) == 0);
  world.pass(599s);
  CHECK(world.closed.empty());
  world.pass(3s);
  CHECK(world.closed.size() == 1);
}

TEST_CASE("many refreshes leave one end") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  for (int i = 0; i < 30; ++i) {
    world.pass(500s);
    client.nonce.clear();
    REQUIRE(code_of(client.request(Method::refresh)) == 0);
  }
  CHECK(world.closed.empty());
  world.pass(601s);
  CHECK(world.closed.size() == 1);
}

TEST_CASE("a lifetime longer than the expiry wheel is kept to the second") {
  auto options = default_options();
  options.maximum_lifetime = 24h;
  World world{options};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.request(Method::refresh, lifetime(20'000s));
  for (int i = 0; i < 19'999; ++i) world.pass(1s);
  CHECK(world.closed.empty());
  world.pass(2s);
  CHECK(world.closed.size() == 1);
}

TEST_CASE("a lifetime of zero ends the allocation, and asking again is a mismatch") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  const auto answer = client.request(Method::refresh, lifetime(0s));
  REQUIRE(code_of(answer) == 0);
  CHECK(answer->message().get(attribute::lifetime) == 0s);
  CHECK(answer->message().has(attribute::message_integrity.type));
  CHECK(world.closed == world.opened);
  CHECK(world.engine.allocation_count() == 0);
  CHECK(code_of(client.request(Method::refresh, lifetime(0s))) == 437);
  client.allocate();
}

TEST_CASE("a refresh for the other family is refused and changes nothing") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  CHECK(code_of(client.request(Method::refresh, family(Family::ipv6))) == 443);
  CHECK(code_of(client.request(Method::refresh, family(Family::ipv4))) == 0);
  const auto both = [](stun::MessageWriter& writer) {
    lifetime(0s)(writer);
    family(Family::ipv6)(writer);
  };
  CHECK(code_of(client.request(Method::refresh, both)) == 443);
  CHECK(world.engine.allocation_count() == 1);
}

TEST_CASE("a malformed LIFETIME is a bad request") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  CHECK(code_of(client.request(Method::refresh, [](stun::MessageWriter& writer) {
          writer.add(stun::Attribute<Bytes>{attribute::lifetime.type}, as_bytes("longer"));
        })) == 400);
}

TEST_CASE("an allocation ends with the client's stream") {
  World world;
  Client client{world, "203.0.112.9:1", Transport::tcp};
  client.allocate();
  auto stranger = client.path;
  stranger.socket = SocketRef::stream(7, 2);  // a later connection in the same slot
  world.client_closed(stranger);
  CHECK(world.engine.allocation_count() == 1);
  world.client_closed(client.path);
  CHECK(world.engine.allocation_count() == 0);
  CHECK(world.closed == world.opened);
}

TEST_CASE("closing everything closes every relay once and empties every table") {
  World world;
  for (int i = 1; i <= 50; ++i) {
    Client client{world, "203.0.112.9:" + std::to_string(i)};
    client.allocate();
    client.bind(0x4000, "192.0.78.1:1");
  }
  CHECK(world.engine.gauges(world.now).allocations[0][0] == 50);
  CHECK(world.engine.gauges(world.now).permissions == 50);
  CHECK(world.engine.gauges(world.now).channels == 50);
  world.close_all();
  CHECK(world.closed.size() == 50);
  CHECK(world.engine.allocation_count() == 0);
  CHECK(world.quota.total() == 0);
  CHECK(world.engine.gauges(world.now).allocations[0][0] == 0);
}

TEST_CASE("a relay that is gone is not mistaken for its successor") {
  World world;
  Client first{world, "203.0.112.9:1"};
  first.allocate();
  first.permit("192.0.78.1:1");
  first.request(Method::refresh, lifetime(0s));
  Client second{world, "203.0.112.9:2"};
  second.allocate();
  second.permit("192.0.78.1:1");
  CHECK(second.relay.index == first.relay.index);
  CHECK(world.from_peer(first.relay, endpoint("192.0.78.1:1"), "late").empty());
  CHECK(world.drops(Drop::no_allocation) == 1);
  CHECK(world.from_peer(second.relay, endpoint("192.0.78.1:1"), "hello").size() == 1);
}

TEST_CASE("creation and end of an allocation are told to the log") {
  World world;
  Client client{world, "203.0.112.9:1"};
  const auto relayed = client.allocate();
  client.request(Method::refresh, lifetime(0s));
  REQUIRE(world.notices.size() == 2);
  CHECK(world.notices[0].event == Notice::Event::allocation_created);
  CHECK(world.notices[1].event == Notice::Event::allocation_deleted);
  CHECK(world.notices[0].session == world.notices[1].session);
  CHECK(world.notices[0].relayed == relayed);
}

}  // namespace yuelao::turn::test::refresh_test

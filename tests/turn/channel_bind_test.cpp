// RFC 8656 §12.2.

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::channel_bind_test {
namespace {

constexpr auto peer = "192.0.78.1:7000";

}  // namespace

TEST_CASE("a channel number is assignable only inside 0x4000-0x4FFF") {
  struct Row {
    std::string_view what;
    std::uint16_t number;
    int code;
  };
  constexpr Row rows[] = {
      {"zero", 0, 400},          {"below the range", 0x3FFF, 400}, {"first", 0x4000, 0},
      {"last", 0x4FFF, 0},       {"above the range", 0x5000, 400}, {"RFC 5766's last", 0x7FFF, 400},
      {"all bits", 0xFFFF, 400},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    Client client{world, "203.0.112.9:1"};
    client.allocate();
    CHECK(code_of(client.request(Method::channel_bind, to_channel(row.number, peer))) == row.code);
  }
}

TEST_CASE("both attributes must be there") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  CHECK(code_of(client.request(Method::channel_bind)) == 400);
  CHECK(code_of(client.request(Method::channel_bind, to_peer(peer))) == 400);
}

TEST_CASE("a channel and a peer belong to each other alone") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.bind(0x4000, peer);
  client.bind(0x4000, peer);
  const auto bind = [&](std::uint16_t number, std::string_view to) {
    return code_of(client.request(Method::channel_bind, to_channel(number, to)));
  };
  CHECK(bind(0x4000, "192.0.78.1:7001") == 400);
  CHECK(bind(0x4000, "192.0.78.2:7000") == 400);
  CHECK(bind(0x4001, peer) == 400);
  CHECK(bind(0x4001, "192.0.78.1:7001") == 0);
  CHECK(world.engine.gauges(world.now).channels == 2);
}

TEST_CASE("asking wrongly keeps no channel alive") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.request(Method::refresh,
                 [](stun::MessageWriter& writer) { writer.add(attribute::lifetime, 3600s); });
  client.bind(0x4000, peer);
  world.pass_silently(500s);
  CHECK(code_of(client.request(Method::channel_bind, to_channel(0x4000, "192.0.78.2:1"))) == 400);
  client.permit(peer);
  world.pass_silently(99s);
  CHECK(client.channel_data(0x4000, "out").size() == 1);
  world.pass_silently(1s);
  CHECK(client.channel_data(0x4000, "out").empty());
  CHECK(world.drops(Drop::no_channel) == 1);
}

TEST_CASE("a channel lives 600 seconds, its permission 300") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.bind(0x4000, peer);
  world.pass_silently(299s);
  CHECK(client.channel_data(0x4000, "out").size() == 1);
  world.pass_silently(1s);
  CHECK(client.channel_data(0x4000, "out").empty());
  CHECK(world.drops(Drop::no_permission) == 1);
  client.permit(peer);
  CHECK(client.channel_data(0x4000, "out").size() == 1);
}

TEST_CASE("an expired channel may be bound to another peer") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.bind(0x4000, peer);
  world.pass_silently(599s);
  client.nonce.clear();
  client.request(Method::refresh);
  CHECK(code_of(client.request(Method::channel_bind, to_channel(0x4000, "192.0.78.2:1"))) == 400);
  world.pass_silently(1s);
  client.bind(0x4000, "192.0.78.2:1");
  client.bind(0x4001, peer);
}

TEST_CASE("a channel to a peer of the other family or a closed address is refused") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  const auto bind = [&](std::string_view to) {
    return code_of(client.request(Method::channel_bind, to_channel(0x4000, to)));
  };
  CHECK(bind("[2600::1]:1") == 443);
  CHECK(bind("10.0.0.1:1") == 403);
  CHECK(bind("127.0.0.1:3478") == 403);
  CHECK(world.engine.gauges(world.now).channels == 0);
  CHECK(world.engine.gauges(world.now).permissions == 0);
}

TEST_CASE("channels are bounded") {
  auto options = default_options();
  options.limits.channels_per_allocation = 2;
  options.limits.permissions_per_allocation = 3;
  World world{options};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.bind(0x4000, "192.0.78.1:1");
  client.bind(0x4001, "192.0.78.1:2");
  CHECK(code_of(client.request(Method::channel_bind, to_channel(0x4002, "192.0.78.3:3"))) == 508);
  client.bind(0x4001, "192.0.78.1:2");
  CHECK(world.engine.gauges(world.now).permissions == 1);
}

TEST_CASE("a channel that finds no room for its permission is not bound") {
  auto options = default_options();
  options.limits.permissions_per_allocation = 1;
  World world{options};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.permit("192.0.78.1:1");
  CHECK(code_of(client.request(Method::channel_bind, to_channel(0x4000, "192.0.78.2:1"))) == 508);
  CHECK(world.engine.gauges(world.now).channels == 0);
}

}  // namespace yuelao::turn::test::channel_bind_test

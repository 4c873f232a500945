// RFC 8656 §9 and §10.2.

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::permission_test {
namespace {

Client::Fill to_peers(std::vector<std::string_view> peers) {
  return [peers = std::move(peers)](stun::MessageWriter& writer) {
    for (const auto peer : peers) writer.add(attribute::xor_peer_address, endpoint(peer));
  };
}

bool passes(World& world, const Client& client, std::string_view peer) {
  return !world.from_peer(client.relay, endpoint(peer), "data").empty();
}

}  // namespace

TEST_CASE("a permission lets its address in, whatever the port, for 300 seconds") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  CHECK_FALSE(passes(world, client, "192.0.78.1:1"));
  client.permit("192.0.78.1:7");
  CHECK(passes(world, client, "192.0.78.1:1"));
  CHECK(passes(world, client, "192.0.78.1:65535"));
  CHECK_FALSE(passes(world, client, "192.0.78.2:7"));
  world.pass_silently(299s);
  CHECK(passes(world, client, "192.0.78.1:1"));
  CHECK(client.send_data("192.0.78.1:9", "out").size() == 1);
  world.pass_silently(1s);
  CHECK_FALSE(passes(world, client, "192.0.78.1:1"));
  CHECK(client.send_data("192.0.78.1:9", "out").empty());
}

TEST_CASE("asking again starts the 300 seconds anew; data does not") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.permit("192.0.78.1:1");
  world.pass_silently(200s);
  client.send_data("192.0.78.1:1", "out");
  passes(world, client, "192.0.78.1:1");
  client.permit("192.0.78.2:1");
  world.pass_silently(100s);
  CHECK_FALSE(passes(world, client, "192.0.78.1:1"));
  client.permit("192.0.78.2:1");
  world.pass_silently(299s);
  CHECK(passes(world, client, "192.0.78.2:1"));
}

TEST_CASE("a request may name several peers; one bad one refuses them all") {
  struct Row {
    std::string_view what;
    std::vector<std::string_view> peers;
    int code;
  };
  const Row rows[] = {
      {"no peer", {}, 400},
      {"two peers", {"192.0.78.1:1", "192.0.78.2:1"}, 0},
      {"the other family", {"192.0.78.1:1", "[2600::1]:1"}, 443},
      {"a private address last", {"192.0.78.1:1", "192.168.1.1:1"}, 403},
      {"loopback first", {"127.0.0.1:1", "192.0.78.1:1"}, 403},
      {"cloud metadata", {"169.254.169.254:80"}, 403},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    Client client{world, "203.0.112.9:1"};
    client.allocate();
    CHECK(code_of(client.request(Method::create_permission, to_peers(row.peers))) == row.code);
    CHECK(passes(world, client, "192.0.78.1:1") == (row.code == 0));
  }
}

TEST_CASE("a malformed peer address is a bad request") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  CHECK(code_of(client.request(Method::create_permission, [](stun::MessageWriter& writer) {
          writer.add(attribute::xor_peer_address, endpoint("192.0.78.1:1"))
              .add(stun::Attribute<Bytes>{attribute::xor_peer_address.type}, as_bytes("short"));
        })) == 400);
  CHECK_FALSE(passes(world, client, "192.0.78.1:1"));
}

TEST_CASE("permissions are bounded, and expired ones make room") {
  auto options = default_options();
  options.limits.permissions_per_allocation = 2;
  World world{options};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.permit("192.0.78.1:1");
  client.permit("192.0.78.2:1");
  CHECK(code_of(client.request(Method::create_permission, to_peer("192.0.78.3:1"))) == 508);
  client.permit("192.0.78.2:1");
  world.pass(299s);
  client.permit("192.0.78.2:1");
  world.pass(1s);
  client.permit("192.0.78.3:1");
  CHECK(code_of(client.request(Method::create_permission,
                               to_peers({"192.0.78.3:1", "192.0.78.4:1"}))) == 508);
  CHECK_FALSE(passes(world, client, "192.0.78.4:1"));
}

TEST_CASE("one address named often counts once") {
  auto options = default_options();
  options.limits.permissions_per_allocation = 1;
  World world{options};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  CHECK(code_of(client.request(Method::create_permission,
                               to_peers({"192.0.78.1:1", "192.0.78.1:2", "192.0.78.1:3"}))) == 0);
  CHECK(world.engine.gauges(world.now).permissions == 1);
}

TEST_CASE("new peer rules close what they forbid at once") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.permit("192.0.78.1:1");
  client.bind(0x4000, "192.0.78.2:5");
  auto options = default_options();
  options.peers.deny = {IpRange::parse("192.0.78.0/24").value()};
  world.engine.reconfigure(options);
  CHECK_FALSE(passes(world, client, "192.0.78.1:1"));
  CHECK(client.channel_data(0x4000, "out").empty());
  CHECK(client.send_data("192.0.78.1:1", "out").empty());
  CHECK(code_of(client.request(Method::create_permission, to_peer("192.0.78.1:1"))) == 403);
}

}  // namespace yuelao::turn::test::permission_test

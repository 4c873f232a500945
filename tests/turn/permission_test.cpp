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

// A client, a peer, and another host of the peer's /24 or /64.
struct Places {
  std::string_view self, peer, neighbour;
};
constexpr Places families[] = {
    {"203.0.112.9:1", "192.0.78.1", "192.0.78.2"},
    {"[2001:470::9]:1", "[2001:470:7::1]", "[2001:470:7::2]"},
};

}  // namespace

TEST_CASE("a permission lets its address in, whatever the port, for 300 seconds") {
  for (const auto& [self, peer, neighbour] : families) {
    CAPTURE(self);
    const auto at = [peer](std::string_view port) { return std::string{peer}.append(port); };
    World world;
    Client client{world, self};
    client.allocate();
    CHECK_FALSE(passes(world, client, at(":1")));
    client.permit(at(":7"));
    CHECK(passes(world, client, at(":1")));
    CHECK(passes(world, client, at(":65535")));
    CHECK_FALSE(passes(world, client, std::string{neighbour} + ":7"));
    world.pass_silently(299s);
    CHECK(passes(world, client, at(":1")));
    CHECK(client.send_data(at(":9"), "out").size() == 1);
    world.pass_silently(1s);
    CHECK_FALSE(passes(world, client, at(":1")));
    CHECK(client.send_data(at(":9"), "out").empty());
  }
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
  auto options = default_options();
  for (const auto* range : {"192.0.78.0/24", "2001:470:7::/64"}) {
    options.peers.deny.push_back(IpRange::parse(range).value());
  }
  for (const auto& [self, peer, neighbour] : families) {
    CAPTURE(self);
    World world;
    Client client{world, self};
    client.allocate();
    const auto permitted = std::string{peer} + ":1";
    client.permit(permitted);
    client.bind(0x4000, std::string{neighbour} + ":5");
    world.reconfigure(options);
    CHECK_FALSE(passes(world, client, permitted));
    CHECK(client.channel_data(0x4000, "out").empty());
    CHECK(client.send_data(permitted, "out").empty());
    CHECK(code_of(client.request(Method::create_permission, to_peer(permitted))) == 403);
  }
}

}  // namespace yuelao::turn::test::permission_test

// A relay is not to look for hosts or services: new addresses and ports a minute.

#include <string>

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::new_peers_test {
namespace {

Options guarded(std::uint32_t per_allocation, std::uint32_t per_prefix = 0) {
  auto options = default_options();
  options.tcp_relays = true;
  options.limits.new_peers_per_allocation = per_allocation;
  options.limits.new_peers_per_prefix = per_prefix;
  return options;
}

std::string host(int number) { return "9.9.9." + std::to_string(number) + ":50000"; }
std::string at_port(int number) { return "9.9.9.9:" + std::to_string(number); }

int permission(Client& client, const std::string& peer) {
  return code_of(client.request(Method::create_permission, to_peer(peer)));
}
int channel(Client& client, int number, const std::string& peer) {
  return code_of(client.request(Method::channel_bind,
                                to_channel(static_cast<std::uint16_t>(0x4000 + number), peer)));
}

}  // namespace

TEST_CASE("so many new addresses a minute, all at once or one by one; others are 508") {
  World world{guarded(6)};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  for (int i = 1; i <= 6; ++i) CHECK(permission(client, host(i)) == 0);
  CHECK(permission(client, host(7)) == 508);
  // Who asks again for what there is begins nothing.
  for (int i = 1; i <= 6; ++i) CHECK(permission(client, host(i)) == 0);
  world.pass(10s);
  CHECK(permission(client, host(7)) == 0);
  CHECK(permission(client, host(8)) == 508);
  world.pass(60s);
  for (int i = 8; i <= 13; ++i) CHECK(permission(client, host(i)) == 0);
  CHECK(permission(client, host(14)) == 508);
}

TEST_CASE("several in one request count one each, and all or none") {
  World world{guarded(3)};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  const auto permit = [&](int from, int to) {
    return code_of(client.request(Method::create_permission, [&](stun::MessageWriter& writer) {
      for (int i = from; i <= to; ++i) {
        writer.add(attribute::xor_peer_address, endpoint(host(i)));
        writer.add(attribute::xor_peer_address, endpoint(host(i)));  // twice is once
      }
    }));
  };
  CHECK(permit(1, 4) == 508);
  CHECK(client.send_data(host(1), "data").empty());
  CHECK(permit(1, 3) == 0);
}

TEST_CASE("who may not be reached costs nothing") {
  World world{guarded(1)};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  for (int i = 0; i < 10; ++i) CHECK(permission(client, "10.0.0.1:50000") == 403);
  CHECK(permission(client, host(1)) == 0);
}

TEST_CASE("each port of a peer counts when the first datagram goes there") {
  World world{guarded(5)};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.permit("9.9.9.9:1");
  for (int i = 1; i <= 4; ++i) CHECK(client.send_data(at_port(50000 + i), "data").size() == 1);
  CHECK(client.send_data(at_port(50005), "data").empty());
  CHECK(world.drops(Drop::new_peer) == 1);
  // Those it talks to already go on.
  for (int round = 0; round < 3; ++round) {
    for (int i = 1; i <= 4; ++i) CHECK(client.send_data(at_port(50000 + i), "data").size() == 1);
  }
  world.pass(12s);
  CHECK(client.send_data(at_port(50005), "data").size() == 1);
  CHECK(client.send_data(at_port(50006), "data").empty());
}

TEST_CASE("of an address the last eight ports are remembered") {
  World world{guarded(10)};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.permit("9.9.9.9:1");
  for (int i = 1; i <= 9; ++i) CHECK(client.send_data(at_port(50000 + i), "data").size() == 1);
  CHECK(client.send_data(at_port(50009), "data").size() == 1);
  CHECK(client.send_data(at_port(50001), "data").empty());
}

TEST_CASE("a channel counts once, and what goes over it not at all") {
  World world{guarded(2)};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  CHECK(channel(client, 0, at_port(50000)) == 0);
  CHECK(channel(client, 0, at_port(50000)) == 0);
  CHECK(channel(client, 1, at_port(50001)) == 0);
  CHECK(channel(client, 2, at_port(50002)) == 508);
  for (int i = 0; i < 5; ++i) {
    CHECK(client.channel_data(0x4000, "data").size() == 1);
    CHECK(client.channel_data(0x4001, "data").size() == 1);
  }
  // The same port by a Send indication is no new one, nor is a channel to where one went.
  CHECK(client.send_data(at_port(50000), "data").size() == 1);
  world.pass(30s);
  CHECK(client.send_data(at_port(50003), "data").size() == 1);
  CHECK(channel(client, 3, at_port(50003)) == 0);
}

TEST_CASE("channels to many ports of one address stay what they are") {
  World world{guarded(20)};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  for (int i = 0; i < 20; ++i) CHECK(channel(client, i, at_port(50000 + i)) == 0);
  for (int i = 0; i < 20; ++i) {
    const auto number = static_cast<std::uint16_t>(0x4000 + i);
    CHECK(client.channel_data(number, "data").size() == 1);
  }
  // To keep one is to begin nothing.
  CHECK(channel(client, 0, at_port(50000)) == 0);
  CHECK(channel(client, 20, at_port(50020)) == 508);
}

TEST_CASE("each Connect counts") {
  World world{guarded(2)};
  Client client{world, "203.0.112.9:1", Transport::tcp};
  client.allocate(requesting_tcp());
  const auto connect = [&](int port) {
    return code_of(client.request(Method::connect, to_peer(at_port(port))));
  };
  CHECK(connect(50000) == 0);
  CHECK(connect(50001) == 0);
  CHECK(connect(50002) == 508);
  CHECK(world.connecting.size() == 2);
}

TEST_CASE("new allocations of one client prefix have a limit together") {
  for (const auto& [one, other] :
       {std::pair{"203.0.112.9:", "203.0.112.10:1"}, {"[2600:470::9]:", "[2600:470:0:1::9]:1"}}) {
    CAPTURE(one);
    World world{guarded(4, 6)};
    int reached = 0;
    for (int i = 1; i <= 5; ++i) {
      Client client{world, one + std::to_string(i)};
      client.allocate();
      const bool v4 = client.path.tuple.client.address.family() == Family::ipv4;
      for (int peer = 1; peer <= 4; ++peer) {
        const auto to = v4 ? host(peer) : "[2600:99::" + std::to_string(peer) + "]:50000";
        reached += permission(client, to) == 0 ? 1 : 0;
      }
    }
    CHECK(reached == 6);
    Client elsewhere{world, other};
    elsewhere.allocate();
    const bool v4 = elsewhere.path.tuple.client.address.family() == Family::ipv4;
    CHECK(permission(elsewhere, v4 ? host(1) : "[2600:99::1]:50000") == 0);
  }
}

TEST_CASE("clients behind a proxy of ours have no limit together") {
  auto options = guarded(4, 6);
  options.limits.proxies = {IpRange::parse("203.0.112.9").value()};
  World world{options};
  for (int i = 1; i <= 3; ++i) {
    Client client{world, "203.0.112.9:" + std::to_string(i)};
    client.allocate();
    for (int peer = 1; peer <= 4; ++peer) CHECK(permission(client, host(peer)) == 0);
  }
}

TEST_CASE("0 limits nothing") {
  World world{guarded(0)};
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.permit("9.9.9.9:1");
  for (int i = 0; i < 500; ++i) CHECK(client.send_data(at_port(40000 + i), "data").size() == 1);
}

}  // namespace yuelao::turn::test::new_peers_test

#include "server/shard.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <future>
#include <string>

#include "tests/server/shard_group.hpp"
#include "tests/server/turn_client.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::shard_test {
namespace {

using test::loopback;
using test::loopback_config;
using test::ShardGroup;
using test::TurnClient;
using test::UdpWire;

std::uint64_t bindings(const ShardSnapshot& snapshot) {
  return snapshot.counters.requests_succeeded[turn::slot(stun::Method::binding)];
}

std::uint64_t allocations(const ShardSnapshot& snapshot) {
  std::uint64_t sum = 0;
  for (const auto& by_family : snapshot.gauges.allocations) sum += by_family[0] + by_family[1];
  return sum;
}

TEST_CASE("two shards share a port, and every client is answered by one of them") {
  ShardGroup group{loopback_config(), 2};
  for (int i = 0; i < 64; ++i) {
    UdpWire wire{loopback, group.udp()};
    CHECK(TurnClient{wire, "", ""}.binding() == wire.local());
  }
  const auto first = bindings(group.snapshot(0));
  const auto second = bindings(group.snapshot(1));
  CHECK(first + second == 64);
  CHECK(first > 0);
  CHECK(second > 0);
}

TEST_CASE("a call is relayed over UDP in both directions") {
  for (const auto& at : test::loopbacks) {
    CAPTURE(at.to_string());
    ShardGroup group{loopback_config(at)};
    UdpWire wire{at, group.udp()};
    TurnClient client{wire, "alice", "wonderland"};
    const auto relayed = client.allocate();
    REQUIRE(relayed.has_value());
    UdpWire peer{at, *relayed};
    REQUIRE(client.bind_channel(0x4001, peer.local()));

    for (int i = 0; i < 200; ++i) {
      client.send(0x4001, "to the peer " + std::to_string(i));
      const auto heard = peer.receive();
      REQUIRE(heard.has_value());
      CHECK(as_text(*heard) == "to the peer " + std::to_string(i));
      CHECK(peer.source() == *relayed);
      peer.send(as_bytes("to the client " + std::to_string(i)));
      CHECK(client.receive(0x4001) == "to the client " + std::to_string(i));
    }
    const auto snapshot = group.snapshot();
    CHECK(snapshot.counters.client_to_peer.packets == 200);
    CHECK(snapshot.counters.peer_to_client.packets == 200);
    CHECK(allocations(snapshot) == 1);
  }
}

TEST_CASE("bursts of more than a round arrive whole and in order") {
  ShardGroup group{loopback_config()};
  UdpWire wire{loopback, group.udp()};
  TurnClient client{wire, "alice", "wonderland"};
  const auto relayed = client.allocate();
  REQUIRE(relayed.has_value());
  UdpWire peer{loopback, *relayed};
  REQUIRE(client.bind_channel(0x4001, peer.local()));

  // Small enough for every socket's buffer, several times an outbox and a pool.
  constexpr int burst = 100;
  for (int i = 0; i < burst; ++i) client.send(0x4001, std::to_string(i));
  for (int i = 0; i < burst; ++i) {
    const auto heard = peer.receive();
    REQUIRE(heard.has_value());
    CHECK(as_text(*heard) == std::to_string(i));
  }
  for (int i = 0; i < burst; ++i) peer.send(as_bytes(std::to_string(i)));
  for (int i = 0; i < burst; ++i) CHECK(client.receive(0x4001) == std::to_string(i));
}

TEST_CASE("two clients' relays reach each other") {
  ShardGroup group{loopback_config()};
  UdpWire first_wire{loopback, group.udp()};
  UdpWire second_wire{loopback, group.udp()};
  test::check_relayed_call(first_wire, second_wire);
}

TEST_CASE("relays of different shards reach each other, a burst in its order") {
  ShardGroup group{loopback_config(), 2};
  std::deque<UdpWire> wires;
  std::deque<TurnClient> clients;
  std::deque<Endpoint> relayed;
  // The kernel chooses the shard by the five-tuple: enough clients to have both.
  for (int i = 0; i < 16; ++i) {
    auto& wire = wires.emplace_back(loopback, group.udp());
    relayed.push_back(clients.emplace_back(wire, "alice", "wonderland").allocate().value());
  }
  REQUIRE(allocations(group.snapshot(0)) > 0);
  REQUIRE(allocations(group.snapshot(1)) > 0);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const std::size_t next = (i + 1) % clients.size();
    REQUIRE(clients[i].bind_channel(0x4001, relayed[next]));
    REQUIRE(clients[next].bind_channel(0x4002, relayed[i]));
    for (int k = 0; k < 50; ++k) clients[i].send(0x4001, std::to_string(k));
    for (int k = 0; k < 50; ++k) CHECK(clients[next].receive(0x4002) == std::to_string(k));
  }
  // Nothing was lost on the way.
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(group.snapshot(i).counters.drops == decltype(turn::Counters::drops){});
  }
}

TEST_CASE("without a port left an allocation is refused, and no other call is harmed") {
  auto config = loopback_config();
  config.relay.first_port = config.relay.last_port = [] {
    return UdpSocket::open_relay({loopback, 0}).value().local().port;
  }();
  ShardGroup group{config};
  UdpWire first_wire{loopback, group.udp()};
  TurnClient first{first_wire, "alice", "wonderland"};
  const auto relayed = first.allocate();
  REQUIRE(relayed.has_value());
  CHECK(relayed->port == config.relay.first_port);

  UdpWire second_wire{loopback, group.udp()};
  TurnClient second{second_wire, "alice", "wonderland"};
  CHECK_FALSE(second.allocate().has_value());
  CHECK(second.error() == 508);

  UdpWire peer{loopback, *relayed};
  REQUIRE(first.bind_channel(0x4001, peer.local()));
  first.send(0x4001, "still here");
  CHECK(peer.receive().has_value());

  // The port is free again once its call has ended.
  REQUIRE(first.refresh(std::chrono::seconds{0}));
  UdpWire third_wire{loopback, group.udp()};
  CHECK(TurnClient(third_wire, "alice", "wonderland").allocate().has_value());
}

TEST_CASE("new options take effect while a call goes on under the old ones") {
  auto config = loopback_config();
  ShardGroup group{config};
  UdpWire wire{loopback, group.udp()};
  TurnClient client{wire, "alice", "wonderland"};
  const auto relayed = client.allocate();
  REQUIRE(relayed.has_value());
  UdpWire peer{loopback, *relayed};
  REQUIRE(client.bind_channel(0x4001, peer.local()));

  auto fresh = config.turn;
  fresh.credentials.users.emplace_back("bob", Secret{"builder"});
  for (int i = 0; i < 100; ++i) {
    client.send(0x4001, std::to_string(i));
    if (i == 50) group.shard(0).reconfigure(fresh, {});
    REQUIRE(peer.receive().has_value());
  }
  UdpWire bobs_wire{loopback, group.udp()};
  CHECK(TurnClient(bobs_wire, "bob", "builder").allocate().has_value());
}

TEST_CASE("a call ends with the credential that it began with") {
  auto config = loopback_config();
  ShardGroup group{config};
  UdpWire wire{loopback, group.udp()};
  TurnClient client{wire, "alice", "wonderland"};
  const auto relayed = client.allocate();
  REQUIRE(relayed.has_value());

  config.turn.credentials.users = {{"bob", Secret{"builder"}}};
  group.shard(0).reconfigure(config.turn, {});
  CHECK(group.snapshot(0).counters.allocations_revoked == 1);
  CHECK_NOTHROW(UdpWire{*relayed});  // its port is free
  CHECK_FALSE(client.refresh(std::chrono::seconds{600}));
  CHECK(client.error() == 401);
}

TEST_CASE("a draining shard refuses new calls and tells when the last one has ended") {
  ShardGroup group{loopback_config()};
  UdpWire wire{loopback, group.udp()};
  TurnClient client{wire, "alice", "wonderland"};
  REQUIRE(client.allocate().has_value());

  std::promise<void> promise;
  auto drained = promise.get_future();
  group.shard(0).drain([&] { promise.set_value(); });
  group.snapshot();  // answered after the drain has begun

  UdpWire late_wire{loopback, group.udp()};
  TurnClient late{late_wire, "alice", "wonderland"};
  CHECK_FALSE(late.allocate().has_value());
  CHECK(late.error() == 508);
  CHECK(drained.wait_for(std::chrono::seconds{0}) == std::future_status::timeout);

  REQUIRE(client.refresh(std::chrono::seconds{0}));
  CHECK(drained.wait_for(test::patience) == std::future_status::ready);
}

TEST_CASE("forty calls at once, and none is left when their clients are done") {
  ShardGroup group{loopback_config()};
  std::deque<UdpWire> wires;
  std::deque<TurnClient> clients;
  for (int i = 0; i < 40; ++i) {
    auto& wire = wires.emplace_back(loopback, group.udp());
    REQUIRE(clients.emplace_back(wire, "alice", "wonderland").allocate().has_value());
  }
  CHECK(allocations(group.snapshot()) == 40);
  for (auto& client : clients) CHECK(client.refresh(std::chrono::seconds{0}));
  CHECK(allocations(group.snapshot()) == 0);
}

TEST_CASE("rounds are counted with their duration") {
  ShardGroup group{loopback_config()};
  UdpWire wire{loopback, group.udp()};
  REQUIRE(TurnClient(wire, "", "").binding().has_value());
  // The answer leaves before its round is counted, the question of a snapshot comes after.
  const auto meters = group.snapshot().meters;
  std::uint64_t rounds = 0;
  for (const auto count : meters.rounds) rounds += count;
  CHECK(rounds >= 1);
  CHECK(meters.round_seconds > 0);
}

}  // namespace
}  // namespace yuelao::server::shard_test

// RFC 8016 through running shards and real sockets.

#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>

#include "server/udp_socket.hpp"
#include "tests/server/shard_group.hpp"
#include "tests/server/turn_client.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server {
namespace {

using test::loopback;
using test::ShardGroup;
using test::TcpWire;
using test::TurnClient;
using test::UdpWire;

config::Config mobile_config() {
  auto config = test::loopback_config();
  config.turn.mobility = true;
  return config;
}

std::uint64_t allocations(ShardGroup& group, std::size_t shard) {
  std::uint64_t sum = 0;
  for (const auto& by_family : group.snapshot(shard).gauges.allocations) {
    sum += by_family[0] + by_family[1];
  }
  return sum;
}

std::uint64_t bindings(ShardGroup& group, std::size_t shard) {
  return group.snapshot(shard).counters.requests_succeeded[turn::slot(stun::Method::binding)];
}

// A socket whose five-tuple the kernel gives to that shard.
std::unique_ptr<UdpWire> udp_wire_of(ShardGroup& group, std::size_t shard) {
  for (int i = 0; i < 100; ++i) {
    auto wire = std::make_unique<UdpWire>(loopback, group.udp());
    const auto before = bindings(group, shard);
    REQUIRE(TurnClient(*wire, "", "").binding().has_value());
    if (bindings(group, shard) > before) return wire;
  }
  throw std::runtime_error{"no five-tuple lands in the shard"};
}
std::unique_ptr<TcpWire> tcp_wire_of(ShardGroup& group, std::size_t shard) {
  for (int i = 0; i < 100; ++i) {
    auto wire = std::make_unique<TcpWire>(group.tcp());
    const auto before = bindings(group, shard);
    REQUIRE(TurnClient(*wire, "", "").binding().has_value());
    if (bindings(group, shard) > before) return wire;
  }
  throw std::runtime_error{"no connection lands in the shard"};
}

std::uint16_t first_of_two_free_ports() {
  for (int i = 0; i < 100; ++i) {
    const auto first = UdpSocket::open_relay({loopback, 0}).value();
    const auto port = first.local().port;
    if (port == 0xFFFF) continue;
    const auto next = static_cast<std::uint16_t>(port + 1);
    if (UdpSocket::open_relay({loopback, next})) return port;
  }
  throw std::runtime_error{"no two ports are free"};
}

// A call that goes on: what the client says reaches the peer from the relay, and the other way.
void talk(TurnClient& client, UdpWire& peer, const Endpoint& relayed) {
  for (int i = 0; i < 20; ++i) {
    client.send(0x4001, "out " + std::to_string(i));
    const auto heard = peer.receive();
    REQUIRE(heard.has_value());
    CHECK(as_text(*heard) == "out " + std::to_string(i));
    CHECK(peer.source() == relayed);
    peer.send(as_bytes("in " + std::to_string(i)));
    CHECK(client.receive(0x4001) == "in " + std::to_string(i));
  }
}

TEST_CASE("a call follows its client from shard to shard and from transport to transport") {
  ShardGroup group{mobile_config(), 2};
  const auto home = udp_wire_of(group, 0);
  TurnClient client{*home, "alice", "wonderland"};
  const auto relayed = client.allocate_mobile();
  REQUIRE(relayed.has_value());
  UdpWire peer{loopback, *relayed};
  REQUIRE(client.bind_channel(0x4001, peer.local()));
  talk(client, peer, *relayed);

  auto ticket = client.ticket();
  const auto move_to = [&](test::Wire& wire, std::size_t shard) {
    TurnClient moved{wire, "alice", "wonderland"};
    REQUIRE(moved.move_with(ticket));
    CHECK(ticket != moved.ticket());
    ticket = moved.ticket();
    talk(moved, peer, *relayed);
    CHECK(allocations(group, shard) == 1);
    CHECK(allocations(group, 1 - shard) == 0);
  };
  move_to(*udp_wire_of(group, 1), 1);
  move_to(*udp_wire_of(group, 0), 0);
  const auto first_stream = tcp_wire_of(group, 1);
  move_to(*first_stream, 1);
  const auto second_stream = tcp_wire_of(group, 0);
  move_to(*second_stream, 0);
  const auto back = udp_wire_of(group, 0);
  move_to(*back, 0);

  TurnClient last{*back, "alice", "wonderland"};
  REQUIRE(last.refresh(std::chrono::seconds{0}));
  CHECK(allocations(group, 0) == 0);
}

// What comes while the allocation is between two shards may be overtaken by what comes after.
TEST_CASE("a burst that sets the move off is relayed whole") {
  ShardGroup group{mobile_config(), 2};
  const auto home = udp_wire_of(group, 0);
  TurnClient client{*home, "alice", "wonderland"};
  const auto relayed = client.allocate_mobile();
  REQUIRE(relayed.has_value());
  UdpWire peer{loopback, *relayed};
  REQUIRE(client.bind_channel(0x4001, peer.local()));

  auto ticket = client.ticket();
  for (int round = 0; round < 10; ++round) {
    const auto wire = udp_wire_of(group, 1 - static_cast<std::size_t>(round % 2));
    TurnClient moved{*wire, "alice", "wonderland"};
    REQUIRE(moved.move_with(ticket));
    ticket = moved.ticket();
    std::set<std::string> said;
    std::set<std::string> heard;
    for (int i = 0; i < 50; ++i) {
      said.insert(std::to_string(i));
      moved.send(0x4001, std::to_string(i));
    }
    for (int i = 0; i < 50; ++i) {
      const auto datagram = peer.receive();
      REQUIRE(datagram.has_value());
      heard.emplace(as_text(*datagram));
    }
    CHECK(heard == said);
    peer.send(as_bytes("and back"));
    CHECK(moved.receive(0x4001) == "and back");
  }
  CHECK(group.snapshot(0).counters.allocations_moved +
            group.snapshot(1).counters.allocations_moved ==
        10);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(group.snapshot(i).counters.drops == decltype(turn::Counters::drops){});
  }
}

TEST_CASE("a relay's port is free again in the shard it is from, wherever it was closed") {
  auto config = mobile_config();
  config.relay.first_port = first_of_two_free_ports();
  config.relay.last_port = static_cast<std::uint16_t>(config.relay.first_port + 1);  // one a shard
  ShardGroup group{config, 2};
  const auto home = udp_wire_of(group, 0);
  const auto away = udp_wire_of(group, 1);
  for (int i = 0; i < 3; ++i) {
    TurnClient client{*home, "alice", "wonderland"};
    const auto relayed = client.allocate_mobile();
    REQUIRE(relayed.has_value());
    UdpWire peer{loopback, *relayed};
    REQUIRE(client.bind_channel(0x4001, peer.local()));
    TurnClient moved{*away, "alice", "wonderland"};
    REQUIRE(moved.move_with(client.ticket()));
    talk(moved, peer, *relayed);
    REQUIRE(moved.refresh(std::chrono::seconds{0}));
  }
}

TEST_CASE("a shard is not drained while an allocation is on its way to it") {
  ShardGroup group{mobile_config(), 2};
  const auto home = udp_wire_of(group, 0);
  const auto away = udp_wire_of(group, 1);
  TurnClient client{*home, "alice", "wonderland"};
  const auto relayed = client.allocate_mobile();
  REQUIRE(relayed.has_value());
  UdpWire peer{loopback, *relayed};
  REQUIRE(client.bind_channel(0x4001, peer.local()));
  TurnClient moved{*away, "alice", "wonderland"};
  REQUIRE(moved.move_with(client.ticket()));

  std::promise<void> promise;
  auto drained = promise.get_future();
  group.shard(1).drain([&] { promise.set_value(); });
  group.snapshot(1);  // answered after the drain has begun
  CHECK(drained.wait_for(std::chrono::seconds{0}) == std::future_status::timeout);
  talk(moved, peer, *relayed);
  CHECK(drained.wait_for(std::chrono::seconds{0}) == std::future_status::timeout);
  REQUIRE(moved.refresh(std::chrono::seconds{0}));
  CHECK(drained.wait_for(test::patience) == std::future_status::ready);
}

}  // namespace
}  // namespace yuelao::server

// RFC 8016 through running shards and real sockets.

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "tests/server/certificate.hpp"
#include "tests/server/dtls_wire.hpp"
#include "tests/server/shard_group.hpp"
#include "tests/server/turn_client.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::mobility_test {
namespace {

using test::DtlsWire;
using test::loopback;
using test::Octets;
using test::ShardGroup;
using test::TcpWire;
using test::TurnClient;
using test::UdpWire;

config::Config mobile_config(const IpAddress& at) {
  auto config = test::loopback_config(at);
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

// A wire whose five-tuple the kernel gives to that shard.
template <class Wire, class... Arguments>
std::unique_ptr<Wire> wire_of(ShardGroup& group, std::size_t shard, const Arguments&... arguments) {
  for (int i = 0; i < 100; ++i) {
    auto wire = std::make_unique<Wire>(arguments...);
    const auto before = bindings(group, shard);
    REQUIRE(TurnClient(*wire, "", "").binding().has_value());
    if (bindings(group, shard) > before) return wire;
  }
  throw std::runtime_error{"no five-tuple lands in the shard"};
}
std::unique_ptr<UdpWire> udp_wire_of(ShardGroup& group, std::size_t shard) {
  return wire_of<UdpWire>(group, shard, group.udp().address, group.udp());
}
std::unique_ptr<TcpWire> tcp_wire_of(ShardGroup& group, std::size_t shard) {
  return wire_of<TcpWire>(group, shard, group.tcp());
}
std::unique_ptr<DtlsWire> dtls_wire_of(ShardGroup& group, std::size_t shard) {
  return wire_of<DtlsWire>(group, shard, group.udp().address, group.udp());
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

// A mobile call of two shards, whose allocation is in the first.
struct Call {
  explicit Call(const IpAddress& at = loopback)
      : group{mobile_config(at), 2, tls}, wire{udp_wire_of(group, 0)} {
    TurnClient client{*wire, "alice", "wonderland"};
    relayed = client.allocate_mobile().value();
    ticket = client.ticket();
    peer.emplace(at, relayed);
    REQUIRE(client.bind_channel(0x4001, peer->local()));
    talk(client, *peer, relayed);
  }

  TurnClient move_to(test::Wire& there) {
    TurnClient moved{there, "alice", "wonderland"};
    REQUIRE(moved.move_with(ticket));
    CHECK(ticket != moved.ticket());
    ticket = moved.ticket();
    return moved;
  }

  test::TemporaryDirectory directory;
  std::shared_ptr<TlsContext> tls =
      load_tls_context(test::make_certificate(directory.path(), "first"));
  ShardGroup group;
  std::unique_ptr<test::Wire> wire;
  Endpoint relayed;
  Octets ticket;
  std::optional<UdpWire> peer;
};

TEST_CASE("a call goes on wherever its client's packets arrive, over whichever transport") {
  for (const auto& at : test::loopbacks) {
    CAPTURE(at.to_string());
    Call call{at};
    auto& group = call.group;
    const auto talk_from = [&](std::unique_ptr<test::Wire> wire) {
      auto moved = call.move_to(*wire);
      talk(moved, *call.peer, call.relayed);
      CHECK(allocations(group, 0) == 1);
      CHECK(allocations(group, 1) == 0);
      // The connection of before may end, and nothing changes.
      call.wire = std::move(wire);
      talk(moved, *call.peer, call.relayed);
    };
    for (std::size_t shard : {1U, 0U, 1U}) {
      talk_from(udp_wire_of(group, shard));
      talk_from(tcp_wire_of(group, shard));
      talk_from(dtls_wire_of(group, shard));
      talk_from(dtls_wire_of(group, 1 - shard));
    }
    CHECK(group.snapshot(0).counters.allocations_moved == 12);
    TurnClient last{*call.wire, "alice", "wonderland"};
    REQUIRE(last.refresh(std::chrono::seconds{0}));
    CHECK(allocations(group, 0) == 0);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(group.snapshot(i).counters.drops == decltype(turn::Counters::drops){});
    }
  }
}

TEST_CASE("a burst from another shard is relayed whole and in order") {
  Call call;
  for (int round = 0; round < 10; ++round) {
    const auto wire = udp_wire_of(call.group, 1 - static_cast<std::size_t>(round % 2));
    auto moved = call.move_to(*wire);
    for (int i = 0; i < 50; ++i) moved.send(0x4001, std::to_string(i));
    for (int i = 0; i < 50; ++i) {
      const auto datagram = call.peer->receive();
      REQUIRE(datagram.has_value());
      CHECK(as_text(*datagram) == std::to_string(i));
    }
    call.peer->send(as_bytes("and back"));
    CHECK(moved.receive(0x4001) == "and back");
  }
}

TEST_CASE("a DTLS client that was refused in another shard goes on there") {
  Call call;
  const auto wire = dtls_wire_of(call.group, 1);
  auto spent = call.ticket;
  const auto elsewhere = udp_wire_of(call.group, 0);
  auto moved = call.move_to(*elsewhere);
  moved.send(0x4001, "here");
  REQUIRE(call.peer->receive().has_value());

  TurnClient late{*wire, "alice", "wonderland"};
  CHECK_FALSE(late.move_with(spent));
  CHECK(late.binding().has_value());
  const auto own = late.allocate();
  REQUIRE(own.has_value());
  UdpWire peer{loopback, *own};
  REQUIRE(late.bind_channel(0x4001, peer.local()));
  talk(late, peer, *own);
  CHECK(allocations(call.group, 0) == 2);
}

// A call that has moved over DTLS to the second shard's datagrams, and its client's next
// association from the same port.
struct NextAssociation : Call {
  NextAssociation() {
    REQUIRE(first.connected());
    auto moved = move_to(first);
    talk(moved, *peer, relayed);
    again.emplace(*udp);
    REQUIRE(again->connected());
  }

  std::unique_ptr<UdpWire> udp = udp_wire_of(group, 1);
  DtlsWire first{*udp};
  std::optional<DtlsWire> again;
};

TEST_CASE("a DTLS client that begins anew after it has moved begins where it arrives") {
  NextAssociation call;
  TurnClient anew{*call.again, "alice", "wonderland"};
  CHECK(anew.allocate().has_value());
  CHECK(allocations(call.group, 1) == 1);
}

TEST_CASE("a second association of the same client takes the place of one that moved before") {
  NextAssociation call;
  // Its allocation waits for it, as after any connection that breaks.
  auto anew = call.move_to(*call.again);
  talk(anew, *call.peer, call.relayed);
  CHECK(allocations(call.group, 0) == 1);
  const auto open = call.group.snapshot(0).meters.connections_open +
                    call.group.snapshot(1).meters.connections_open;
  CHECK(open == 1);
}

}  // namespace
}  // namespace yuelao::server::mobility_test

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "server/arrival_order.hpp"
#include "server/dtls_session.hpp"
#include "tests/server/certificate.hpp"
#include "tests/server/dtls_wire.hpp"
#include "tests/server/shard_group.hpp"
#include "tests/server/turn_client.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::dtls_shard_test {
namespace {

using test::DtlsEnd;
using test::DtlsWire;
using test::loopback;
using test::loopback_config;
using test::Octets;
using test::ShardGroup;
using test::TurnClient;
using test::UdpWire;
using turn::Drop;

// A group that takes DTLS on its UDP port, and DTLS alone on another.
struct World {
  explicit World(config::Config wanted = loopback_config(), unsigned shards = 1)
      : config{with_dtls_listener(std::move(wanted))}, group{config, shards, tls} {}

  test::TemporaryDirectory directory;
  config::Config config;
  std::shared_ptr<TlsContext> tls =
      load_tls_context(test::make_certificate(directory.path(), "first"));
  ShardGroup group;

  static config::Config with_dtls_listener(config::Config config) {
    config.listen.push_back({Transport::dtls, config.listen.front().address, 0});
    return config;
  }
  std::uint64_t drops(Drop drop) {
    return group.snapshot().counters.drops[static_cast<std::size_t>(drop)];
  }
};

std::uint64_t dtls_allocations(const ShardSnapshot& snapshot) {
  const auto& by_family = snapshot.gauges.allocations[static_cast<std::size_t>(Transport::dtls)];
  return by_family[0] + by_family[1];
}

// A ClientHello of whoever asks first, without a cookie.
Octets first_hello() {
  DtlsEnd end;
  SSL_do_handshake(end.ssl());
  return end.said().at(0);
}

TEST_CASE("a call is relayed over DTLS, on a port of its own and on UDP's") {
  for (const auto& at : test::loopbacks) {
    CAPTURE(at.to_string());
    World world{loopback_config(at)};
    for (const auto& server : {world.group.udp(), world.group.dtls()}) {
      DtlsWire wire{at, server};
      REQUIRE(wire.connected());
      TurnClient client{wire, "alice", "wonderland"};
      CHECK(client.binding() == wire.udp().local());
      const auto relayed = client.allocate();
      REQUIRE(relayed.has_value());
      CHECK(dtls_allocations(world.group.snapshot()) == 1);
      UdpWire peer{at, *relayed};
      REQUIRE(client.bind_channel(0x4001, peer.local()));
      for (const std::size_t size : {1U, 3U, 4U, 1000U, 9000U}) {
        const std::string text(size, 'x');
        client.send(0x4001, text);
        const auto heard = peer.receive();
        REQUIRE(heard.has_value());
        CHECK(as_text(*heard) == text);
        peer.send(as_bytes(text));
        CHECK(client.receive(0x4001) == text);
      }
      // RFC 7350 §3: who says goodbye gives back what it had.
      wire.say_goodbye();
      CHECK(world.group.eventually(
          [](const auto& snapshot) { return dtls_allocations(snapshot) == 0; }));
    }
    const auto& meters = world.group.snapshot().meters;
    CHECK(meters.dtls_challenges == 2);
    CHECK(meters.dtls_handshakes_succeeded == 2);
    CHECK(meters.associations_accepted == 2);
    CHECK(meters.connections_open == 0);
  }
}

TEST_CASE("bursts over DTLS arrive whole and in order") {
  World world;
  DtlsWire wire{loopback, world.group.dtls()};
  TurnClient client{wire, "alice", "wonderland"};
  const auto relayed = client.allocate();
  REQUIRE(relayed.has_value());
  UdpWire peer{loopback, *relayed};
  REQUIRE(client.bind_channel(0x4001, peer.local()));
  constexpr int burst = 100;
  for (int i = 0; i < burst; ++i) client.send(0x4001, std::to_string(i));
  for (int i = 0; i < burst; ++i) CHECK(as_text(peer.receive().value()) == std::to_string(i));
  for (int i = 0; i < burst; ++i) peer.send(as_bytes(std::to_string(i)));
  for (int i = 0; i < burst; ++i) CHECK(client.receive(0x4001) == std::to_string(i));
}

TEST_CASE("a DTLS client and a UDP client reach each other") {
  World world{loopback_config(), 2};
  DtlsWire secure{loopback, world.group.udp()};
  UdpWire plain{loopback, world.group.udp()};
  test::check_relayed_call(secure, plain);
}

// RFC 7350 §4.6, RFC 6347 §4.2.1
TEST_CASE("who has not shown to be at its address costs nothing and gets no more than it sent") {
  World world;
  const auto hello = first_hello();
  for (int i = 0; i < 200; ++i) {
    UdpWire stranger{loopback, world.group.dtls()};
    stranger.send(hello);
    const auto answer = stranger.receive();
    REQUIRE(answer.has_value());
    CHECK(answer->size() <= hello.size());
  }
  const auto snapshot = world.group.snapshot();
  CHECK(snapshot.meters.dtls_challenges == 200);
  CHECK(snapshot.meters.associations_accepted == 0);
  CHECK(snapshot.meters.connections_open == 0);
}

TEST_CASE("handshakes that nobody goes on with make room for newer ones") {
  World world;
  constexpr auto most = ArrivalOrder<std::uint32_t>::most_of_prefix;
  DtlsWire earlier{loopback, world.group.dtls()};
  REQUIRE(earlier.connected());
  std::vector<UdpWire> strangers;
  for (std::size_t i = 0; i < most + 5; ++i) {
    auto& stranger = strangers.emplace_back(loopback, world.group.dtls());
    DtlsEnd end;
    SSL_do_handshake(end.ssl());
    stranger.send(end.said().at(0));
    end.hear(stranger.receive().value());  // the cookie
    SSL_do_handshake(end.ssl());
    stranger.send(end.said().at(0));
    REQUIRE(stranger.receive().has_value());
  }
  CHECK(world.group.snapshot().meters.associations_crowded_out == 5);
  // Who goes on at once gets through, and who was there before is not touched.
  DtlsWire wire{loopback, world.group.dtls()};
  REQUIRE(wire.connected());
  CHECK(TurnClient(wire, "", "").binding().has_value());
  CHECK(TurnClient(earlier, "", "").binding().has_value());
}

TEST_CASE("what belongs to no association is dropped and counted") {
  World world;
  UdpWire stranger{loopback, world.group.udp()};
  const auto record = [](unsigned content) {
    Octets octets(40, std::byte{0});
    octets[0] = static_cast<std::byte>(content);
    return octets;
  };
  for (unsigned content = 20; content < 64; ++content) stranger.send(record(content));
  TurnClient{stranger, "", ""}.binding();
  CHECK(world.drops(Drop::no_association) == 44);
  stranger.send(Octets(5, std::byte{22}));  // shorter than a record's header
  TurnClient{stranger, "", ""}.binding();
  CHECK(world.drops(Drop::malformed) == 1);
}

TEST_CASE("a DTLS port takes nothing else, and without a certificate there is no DTLS") {
  World world;
  UdpWire stranger{loopback, world.group.dtls()};
  stranger.send(test::Octets(20, std::byte{0}));
  CHECK(world.group.eventually([](const auto& snapshot) {
    return snapshot.counters.drops[static_cast<std::size_t>(Drop::malformed)] == 1;
  }));

  ShardGroup plain{loopback_config()};
  UdpWire other{loopback, plain.udp()};
  other.send(first_hello());
  CHECK(TurnClient(other, "", "").binding().has_value());
  CHECK(plain.snapshot().counters.drops[static_cast<std::size_t>(Drop::malformed)] == 1);
}

TEST_CASE("who begins anew from its address keeps what it had until the new keys are agreed on") {
  World world;  // RFC 6347 §4.2.8
  DtlsWire old{loopback, world.group.dtls()};
  TurnClient client{old, "alice", "wonderland"};
  REQUIRE(client.allocate().has_value());
  // The ClientHello that began it comes once more, by whatever way: nothing happens.
  old.udp().send(old.second_hello());
  CHECK(client.refresh(std::chrono::seconds{600}));
  // One without a cookie ends nothing either, whoever sent it.
  old.udp().send(first_hello());
  CHECK(old.udp().receive().has_value());
  CHECK(client.refresh(std::chrono::seconds{600}));

  DtlsWire fresh{old.udp()};
  REQUIRE(fresh.connected());
  CHECK(
      world.group.eventually([](const auto& snapshot) { return dtls_allocations(snapshot) == 0; }));
  CHECK(TurnClient(fresh, "alice", "wonderland").allocate().has_value());
  CHECK(world.group.snapshot().meters.connections_open == 1);
}

TEST_CASE("associations count as connections, and above the limit there are none") {
  auto config = loopback_config();
  config.connections = 1;
  World world{config};
  DtlsWire first{loopback, world.group.dtls()};
  REQUIRE(first.connected());
  UdpWire second{loopback, world.group.dtls()};
  DtlsEnd end;
  SSL_do_handshake(end.ssl());
  second.send(end.said().at(0));
  end.hear(second.receive().value());
  SSL_do_handshake(end.ssl());
  second.send(end.said().at(0));
  CHECK(world.group.eventually(
      [](const auto& snapshot) { return snapshot.meters.associations_refused == 1; }));
  first.say_goodbye();
  CHECK(world.group.eventually(
      [](const auto& snapshot) { return snapshot.meters.connections_open == 0; }));
  CHECK(DtlsWire(loopback, world.group.dtls()).connected());
}

TEST_CASE("new DTLS clients get the new certificate, old ones go on") {
  World world;
  DtlsWire wire{loopback, world.group.dtls()};
  TurnClient client{wire, "alice", "wonderland"};
  REQUIRE(client.allocate().has_value());
  auto fresh = load_tls_context(test::make_certificate(world.directory.path(), "second"));
  world.group.shard(0).reconfigure(world.config.turn, {fresh, {}, {}});
  world.group.snapshot();  // answered after the change
  CHECK(DtlsWire(loopback, world.group.dtls()).connected());
  CHECK(client.refresh(std::chrono::seconds{600}));
}

TEST_CASE("a message that no record holds is dropped, and the association goes on") {
  World world;
  DtlsWire wire{loopback, world.group.dtls()};
  TurnClient client{wire, "alice", "wonderland"};
  const auto relayed = client.allocate();
  REQUIRE(relayed.has_value());
  UdpWire peer{loopback, *relayed};
  REQUIRE(client.bind_channel(0x4001, peer.local()));
  peer.send(as_bytes(std::string(DtlsSession::message_limit, 'x')));
  peer.send(as_bytes("short"));
  CHECK(client.receive(0x4001) == "short");
  CHECK(world.drops(Drop::too_large) == 1);
}

TEST_CASE("a server that stops says goodbye") {
  World world;
  DtlsWire wire{loopback, world.group.dtls()};
  TurnClient client{wire, "alice", "wonderland"};
  REQUIRE(client.allocate().has_value());
  world.group.stop();
  CHECK_FALSE(wire.receive().has_value());
  CHECK(wire.closed());
}

}  // namespace
}  // namespace yuelao::server::dtls_shard_test

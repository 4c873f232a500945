#include <doctest/doctest.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "server/stream_client.hpp"
#include "tests/server/certificate.hpp"
#include "tests/server/shard_group.hpp"
#include "tests/server/turn_client.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::stream_test {
namespace {

using test::loopback;
using test::loopback_config;
using test::Octets;
using test::ShardGroup;
using test::TcpWire;
using test::TlsWire;
using test::TurnClient;
using test::UdpWire;
using turn::Drop;

std::uint64_t drops(const ShardSnapshot& snapshot, Drop drop) {
  return snapshot.counters.drops[static_cast<std::size_t>(drop)];
}

std::uint64_t stream_allocations(const ShardSnapshot& snapshot) {
  const auto& by_transport = snapshot.gauges.allocations;
  return by_transport[1][0] + by_transport[2][0];
}

// A group that takes TCP and TLS on one port, and TLS alone on another.
struct World {
  test::TemporaryDirectory directory;
  config::Config config = with_tls_listener();
  std::shared_ptr<TlsContext> tls =
      load_tls_context(test::make_certificate(directory.path(), "first"));
  ShardGroup group{config, 1, tls};

  static config::Config with_tls_listener() {
    auto config = loopback_config();
    config.listen.push_back({Transport::tls, loopback, 0});
    return config;
  }
};

void check_call(test::Wire& wire) {
  TurnClient client{wire, "alice", "wonderland"};
  const auto relayed = client.allocate();
  REQUIRE(relayed.has_value());
  UdpWire peer{loopback, *relayed};
  REQUIRE(client.bind_channel(0x4001, peer.local()));
  // Lengths of every remainder, since ChannelData on a stream is padded to four.
  for (std::size_t size = 1; size < 40; ++size) {
    const std::string text(size, 'x');
    client.send(0x4001, text);
    const auto heard = peer.receive();
    REQUIRE(heard.has_value());
    CHECK(as_text(*heard) == text);
    peer.send(as_bytes(text));
    CHECK(client.receive(0x4001) == text);
  }
}

TEST_CASE("TCP and TLS are told apart on one port, and a TLS port takes TLS") {
  World world;
  SUBCASE("TCP") {
    TcpWire wire{world.group.tcp()};
    check_call(wire);
    CHECK(world.group.snapshot().gauges.allocations[1][0] == 1);
  }
  SUBCASE("TLS on the TCP port") {
    TlsWire wire{world.group.tcp()};
    REQUIRE(wire.connected());
    check_call(wire);
    CHECK(world.group.snapshot().gauges.allocations[2][0] == 1);
    CHECK(world.group.snapshot().meters.tls_handshakes_succeeded == 1);
  }
  SUBCASE("TLS on the TLS port") {
    TlsWire wire{world.group.tls()};
    REQUIRE(wire.connected());
    check_call(wire);
  }
  SUBCASE("TCP on the TLS port") {
    TcpWire wire{world.group.tls()};
    CHECK_FALSE(TurnClient(wire, "", "").binding().has_value());
    CHECK(world.group.eventually(
        [](const auto& snapshot) { return snapshot.meters.tls_handshakes_failed == 1; }));
  }
}

TEST_CASE("TLS 1.2 and 1.3 are spoken, nothing older") {  // RFC 9325 §3.1.1
  World world;
  CHECK(TlsWire(world.group.tcp(), "", TLS1_3_VERSION).version() == "TLSv1.3");
  CHECK(TlsWire(world.group.tcp(), "", TLS1_2_VERSION).version() == "TLSv1.2");
  CHECK_FALSE(TlsWire(world.group.tcp(), "", TLS1_1_VERSION).connected());
  CHECK_FALSE(TlsWire(world.group.tcp(), "", TLS1_VERSION).connected());
}

TEST_CASE("ALPN is answered when it names STUN, and asked of nobody") {  // RFC 7443
  World world;
  CHECK(TlsWire(world.group.tcp(), "stun.turn").alpn() == "stun.turn");
  CHECK(TlsWire(world.group.tcp(), "stun.nat-discovery").alpn() == "stun.nat-discovery");
  TlsWire other{world.group.tcp(), "http/1.1"};
  CHECK(other.connected());
  CHECK(other.alpn().empty());
}

TEST_CASE("new connections get the new certificate, old ones go on") {
  World world;
  TlsWire wire{world.group.tcp()};
  TurnClient client{wire, "alice", "wonderland"};
  REQUIRE(client.allocate().has_value());

  auto fresh = load_tls_context(test::make_certificate(world.directory.path(), "second"));
  world.group.shard(0).reconfigure(world.config.turn, {fresh, {}, {}});
  world.group.snapshot();  // answered after the change
  const auto released = std::weak_ptr{world.tls};
  world.tls.reset();
  CHECK_FALSE(released.expired());

  TlsWire later{world.group.tcp()};
  CHECK(later.connected());
  CHECK(client.refresh(std::chrono::seconds{600}));
  fresh.reset();
}

TEST_CASE("a stream that is not TURN is closed, and the others go on") {
  World world;
  TcpWire good{world.group.tcp()};
  REQUIRE(TurnClient(good, "", "").binding().has_value());

  struct Row {
    std::string_view what;
    std::string octets;
    Drop counted;
  };
  const Row rows[] = {
      {"HTTP, whose first octet is ChannelData's", "GET / HTTP/1.1\r\n\r\n", Drop::too_large},
      {"neither STUN nor ChannelData", std::string(100, '\xFF'), Drop::malformed},
      {"ChannelData longer than the limit", std::string{"\x40\x01\xFF\xFF", 4}, Drop::too_large},
      {"STUN longer than the limit", std::string{"\x00\x01\xFF\xFC", 4}, Drop::too_large},
  };
  for (const auto& [what, octets, counted] : rows) {
    CAPTURE(what);
    const auto before = drops(world.group.snapshot(), counted);
    TcpWire bad{world.group.tcp()};
    bad.write(as_bytes(octets));
    CHECK(bad.closed_by_server());
    CHECK(drops(world.group.snapshot(), counted) == before + 1);
  }
  CHECK(TurnClient(good, "", "").binding().has_value());
  CHECK(world.group.eventually(
      [](const auto& snapshot) { return snapshot.meters.connections_open == 1; }));
}

TEST_CASE("messages may come octet by octet, and several at once") {
  World world;
  TcpWire wire{world.group.tcp()};
  const auto request =
      as_bytes(std::string_view{"\x00\x01\x00\x00\x21\x12\xA4\x42"
                                "abcdefghijkl",
                                20});
  for (const auto& octet : request) wire.write({&octet, 1});
  CHECK(wire.receive().has_value());

  Octets several;
  for (int i = 0; i < 50; ++i) several.insert(several.end(), request.begin(), request.end());
  wire.write(several);
  for (int i = 0; i < 50; ++i) CHECK(wire.receive().has_value());
}

TEST_CASE("an allocation ends with the stream it was made on") {  // RFC 8656 §7.2
  World world;
  {
    TcpWire wire{world.group.tcp()};
    REQUIRE(TurnClient(wire, "alice", "wonderland").allocate().has_value());
    CHECK(stream_allocations(world.group.snapshot()) == 1);
  }
  CHECK(world.group.eventually(
      [](const auto& snapshot) { return stream_allocations(snapshot) == 0; }));
}

TEST_CASE("data for a client that does not read is dropped, its answers wait") {
  World world;
  TcpWire wire{world.group.tcp()};
  TurnClient client{wire, "alice", "wonderland"};
  const auto relayed = client.allocate();
  REQUIRE(relayed.has_value());
  UdpWire peer{loopback, *relayed};
  REQUIRE(client.bind_channel(0x4001, peer.local()));

  const std::string text(1200, 'x');
  CHECK(world.group.eventually([&](const auto& snapshot) {
    for (int i = 0; i < 100; ++i) peer.send(as_bytes(text));
    return drops(snapshot, Drop::send_queue_full) > 0;
  }));
  // Its answer waits behind the data that was queued, and comes.
  CHECK(client.refresh(std::chrono::seconds{600}));
}

TEST_CASE("a client that lets its answers pile up is closed") {
  World world;
  TcpWire wire{world.group.tcp()};
  const int small = 4096;
  ::setsockopt(wire.descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  const std::string request{
      "\x00\x01\x00\x00\x21\x12\xA4\x42"
      "abcdefghijkl",
      20};
  std::string many;
  for (int i = 0; i < 1000; ++i) many += request;
  while (wire.write(as_bytes(many))) {
  }
  CHECK(world.group.eventually(
      [](const auto& snapshot) { return snapshot.meters.connections_open == 0; }));
}

TEST_CASE("connections over the limit are closed and counted, until others end") {
  auto config = loopback_config();
  config.connections = 2;
  ShardGroup group{config};
  TcpWire first{group.tcp()};
  REQUIRE(TurnClient(first, "", "").binding().has_value());
  {
    TcpWire second{group.tcp()};
    REQUIRE(TurnClient(second, "", "").binding().has_value());
    CHECK(TcpWire(group.tcp()).closed_by_server());
    CHECK(group.snapshot().meters.connections_refused == 1);
  }
  CHECK(
      group.eventually([](const auto& snapshot) { return snapshot.meters.connections_open == 1; }));
  TcpWire third{group.tcp()};
  CHECK(TurnClient(third, "", "").binding().has_value());
}

TEST_CASE("a listener outlives a time without descriptors") {
  ShardGroup group{loopback_config()};
  TcpWire before{group.tcp()};
  REQUIRE(TurnClient(before, "", "").binding().has_value());

  server::FileDescriptor client{::socket(AF_INET, SOCK_STREAM, 0)};
  rlimit usual{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
  rlimit none = usual;
  none.rlim_cur = 3;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const SocketAddress address{group.tcp()};
  CHECK(::connect(client.value(), address.data(), address.size()) == 0);
  CHECK(group.eventually(
      [](const auto& snapshot) { return snapshot.meters.connections_refused >= 1; }));
  // The calls that are up do not notice.
  CHECK(TurnClient(before, "", "").binding().has_value());
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);

  TcpWire after{group.tcp()};
  CHECK(TurnClient(after, "", "").binding().has_value());
  // It rested instead of asking again and again.
  CHECK(group.snapshot().meters.connections_refused < 200);
}

}  // namespace
}  // namespace yuelao::server::stream_test

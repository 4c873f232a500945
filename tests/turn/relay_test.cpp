// The packet path: RFC 8656 §11 (Send and Data), §12.5 to §12.7 (ChannelData).

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::relay_test {
namespace {

constexpr auto peer = "192.0.78.1:7000";

Client allocated(World& world, std::string_view from = "203.0.112.9:1",
                 Transport transport = Transport::udp) {
  Client client{world, from, transport};
  client.allocate();
  return client;
}

// Two clients, and the server's address that their relays are at.
struct Places {
  std::string_view first, second, server;
};
constexpr Places families[] = {
    {"203.0.112.9:1", "203.0.112.9:2", "198.51.100.1"},
    {"[2001:470::9]:1", "[2001:470::9]:2", "[2001:470:1::1]"},
};

}  // namespace

TEST_CASE("Send leaves through the relay, and the answer comes as Data") {
  World world;
  auto client = allocated(world);
  client.permit(peer);
  const auto out = client.send_data(peer, "question");
  REQUIRE(out.size() == 1);
  CHECK(out[0].from == SocketRef::relay(client.relay));
  CHECK(out[0].to == endpoint(peer));
  CHECK(out[0].bytes == octets("question"));

  const auto in = world.from_peer(client.relay, endpoint(peer), "answer");
  REQUIRE(in.size() == 1);
  CHECK(in[0].from == client.path.socket);
  CHECK(in[0].to == client.path.tuple.client);
  const auto message = in[0].message();
  CHECK(message.method() == Method::data);
  CHECK(message.message_class() == stun::Class::indication);
  CHECK(message.get(attribute::xor_peer_address) == endpoint(peer));
  CHECK(as_text(message.get(attribute::data).value()) == "answer");
}

TEST_CASE(
    "DONT-FRAGMENT counts for IPv4 to IPv4, and for whatever comes off a stream") {  // §13-§15
  struct Row {
    std::string_view what, client;
    Transport transport;
    std::string_view peer;
    bool dont_fragment;
  };
  constexpr auto v4_peer = "192.0.78.1:7000";
  constexpr auto v6_peer = "[2001:470:7::1]:7000";
  const Row rows[] = {
      {"IPv4 to IPv4", "203.0.112.9:1", Transport::udp, v4_peer, true},
      {"IPv4 to IPv6", "203.0.112.9:2", Transport::udp, v6_peer, false},
      {"IPv6 to IPv4", "[2001:470::9]:1", Transport::udp, v4_peer, false},
      {"IPv6 to IPv6", "[2001:470::9]:2", Transport::udp, v6_peer, false},
      {"a stream to IPv4", "203.0.112.9:3", Transport::tcp, v4_peer, true},
      {"a stream to IPv6", "[2001:470::9]:3", Transport::tls, v6_peer, true},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    Client client{world, row.client, row.transport};
    const auto answer = client.request(Method::allocate, [](stun::MessageWriter& writer) {
      requesting_udp()(writer);
      writer.add(attribute::additional_address_family, Family::ipv6)
          .add(attribute::dont_fragment, {});
    });
    REQUIRE(code_of(answer) == 0);  // §7.2 step 4: it is supported
    client.bind(0x4000, row.peer);
    const auto asked = client.send_data(row.peer, "x", [](stun::MessageWriter& writer) {
      writer.add(attribute::dont_fragment, {});
    });
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].bytes == octets("x"));
    CHECK(asked[0].dont_fragment == row.dont_fragment);
    CHECK_FALSE(client.send_data(row.peer, "x").at(0).dont_fragment);
    CHECK_FALSE(client.channel_data(0x4000, "x").at(0).dont_fragment);
  }
}

TEST_CASE("payloads of every length arrive as they were") {
  World world;
  auto client = allocated(world);
  client.permit(peer);
  for (std::size_t size : {0U, 1U, 2U, 3U, 4U, 5U, 200U, 1199U, 1200U}) {
    const std::string payload(size, 'x');
    CHECK(client.send_data(peer, payload).at(0).bytes == octets(payload));
    const auto in = world.from_peer(client.relay, endpoint(peer), payload);
    CHECK(as_text(in.at(0).message().get(attribute::data).value()) == payload);
  }
}

TEST_CASE("each Data indication has a transaction id of its own") {
  World world;
  auto client = allocated(world);
  client.permit(peer);
  const auto first = world.from_peer(client.relay, endpoint(peer), "a");
  const auto second = world.from_peer(client.relay, endpoint(peer), "a");
  CHECK(first[0].message().transaction_id() != second[0].message().transaction_id());
}

TEST_CASE("on a channel four octets go before the data, both ways") {
  World world;
  auto client = allocated(world);
  client.bind(0x4001, peer);
  CHECK(client.channel_data(0x4001, "question").at(0).bytes == octets("question"));
  const auto in = world.from_peer(client.relay, endpoint(peer), "answer");
  CHECK(in.at(0).bytes == octets(std::string_view{"\x40\x01\x00\x06"
                                                  "answer",
                                                  10}));
  // The permission is for the address, the channel only for its port.
  CHECK(world.from_peer(client.relay, endpoint("192.0.78.1:7001"), "x").at(0).message().method() ==
        Method::data);
}

TEST_CASE("ChannelData is padded to four on a stream and not in a datagram") {
  for (const auto transport : {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls}) {
    World world;
    auto client = allocated(world, "203.0.112.9:1", transport);
    client.bind(0x4001, peer);
    for (std::size_t size = 0; size < 9; ++size) {
      const auto in = world.from_peer(client.relay, endpoint(peer), std::string(size, 'x'));
      const auto expected = over_udp(transport) ? size : size + padding_to_four(size);
      CHECK(in.at(0).bytes.size() == 4 + expected);
    }
  }
}

TEST_CASE("padding behind a datagram's ChannelData is not data; a short one is dropped") {
  World world;
  auto client = allocated(world);
  client.bind(0x4001, peer);
  CHECK(client.send(octets(std::string_view{"\x40\x01\x00\x01x\0\0\0", 8})).at(0).bytes ==
        octets("x"));
  CHECK(client.send(octets(std::string_view{"\x40\x01\x00\x00", 4})).at(0).bytes.empty());
  CHECK(client.send(octets(std::string_view{"\x40\x01\x00\x05xxxx", 8})).empty());
  CHECK(client.send(octets(std::string_view{"\x40\x01\x00", 3})).empty());
  CHECK(client.send(octets(std::string_view{"\x4F\xFF\x00\x00", 4})).empty());
  CHECK(world.drops(Drop::malformed) == 2);
  CHECK(world.drops(Drop::no_channel) == 1);
}

TEST_CASE("nothing passes without an allocation, a permission or the right family") {
  World world;
  Client stranger{world, "203.0.112.8:1"};
  CHECK(stranger.send_data(peer, "x").empty());
  CHECK(stranger.channel_data(0x4000, "x").empty());
  CHECK(world.drops(Drop::no_allocation) == 2);
  auto client = allocated(world);
  CHECK(client.send_data(peer, "x").empty());
  CHECK(world.from_peer(client.relay, endpoint(peer), "x").empty());
  CHECK(world.drops(Drop::no_permission) == 2);
  CHECK(client.send_data("[2600::1]:1", "x").empty());
  CHECK(world.drops(Drop::wrong_family) == 1);
}

TEST_CASE("a Send indication with what is missing or not understood is dropped") {
  World world;
  auto client = allocated(world);
  client.permit(peer);
  const auto send = [&](const Client::Fill& fill) {
    Octets buffer(512);
    stun::MessageWriter writer{buffer, Method::send, stun::Class::indication,
                               stun::TransactionId::from_random(std::array<std::byte, 12>{})};
    fill(writer);
    return client.send(writer.finish());
  };
  const auto data = [](stun::MessageWriter& writer) { writer.add(attribute::data, as_bytes("x")); };
  CHECK(send(data).empty());
  CHECK(send(to_peer(peer)).empty());
  CHECK(world.drops(Drop::malformed) == 2);
  CHECK(send([&](stun::MessageWriter& writer) {
          to_peer(peer)(writer);
          data(writer);
          writer.add(stun::Attribute<Bytes>{{0x7F01}}, Bytes{});
        }).empty());
  CHECK(world.drops(Drop::unknown_attribute) == 1);
}

TEST_CASE("two clients of this server reach each other through their relays") {
  for (const auto& [first, second, server] : families) {
    CAPTURE(server);
    World world;
    auto alice = allocated(world, first);
    auto bob = allocated(world, second);
    const auto of_alice = std::string{server} + ":50000";
    alice.bind(0x4000, std::string{server} + ":50001");
    bob.permit(of_alice);
    // Inside the process: what alice sends to bob's relay leaves for bob at once.
    const auto out = alice.channel_data(0x4000, "hi");
    REQUIRE(out.size() == 1);
    CHECK(out[0].from == bob.path.socket);
    CHECK(out[0].to == bob.path.tuple.client);
    CHECK(out[0].message().get(attribute::xor_peer_address) == endpoint(of_alice));
    CHECK(as_text(out[0].message().get(attribute::data).value()) == "hi");
    // And by the network, for relays that another process sends from.
    CHECK(world.from_peer(bob.relay, endpoint(of_alice), "hi").size() == 1);
    const auto& counters = world.engine.counters();
    CHECK(counters.client_to_peer.packets == 1);
    CHECK(counters.peer_to_client.packets == 2);
  }
}

TEST_CASE("between two relays of this server both permissions are asked for") {  // RFC 8656 §9
  World world;
  auto alice = allocated(world, "203.0.112.9:1");
  auto bob = allocated(world, "203.0.112.9:2", Transport::tcp);
  alice.bind(0x4000, "198.51.100.1:50001");
  CHECK(alice.channel_data(0x4000, "hi").empty());
  CHECK(world.drops(Drop::no_permission) == 1);
  bob.bind(0x4007, "198.51.100.1:50000");
  CHECK(alice.channel_data(0x4000, "hi").at(0).bytes ==
        octets(std::string_view{"\x40\x07\x00\x02hi\0\0", 8}));
  world.pass_silently(300s);
  CHECK(alice.channel_data(0x4000, "hi").empty());
  CHECK(world.drops(Drop::no_permission) == 2);
}

TEST_CASE("a relay of another shard is handed what is for it") {
  for (const auto& [of_alice, of_bob, server] : families) {
    CAPTURE(server);
    World first;
    World second{default_options(),
                 {.quota = first.quota,
                  .directory = first.directory,
                  .reservations = first.reservations,
                  .roaming = first.roaming,
                  .bandwidth = first.bandwidth,
                  .shard = 1}};
    second.next_port = 60000;
    auto alice = allocated(first, of_alice);
    auto bob = allocated(second, of_bob);
    alice.bind(0x4000, std::string{server} + ":60000");
    bob.bind(0x4001, std::string{server} + ":50000");

    CHECK(alice.channel_data(0x4000, "hi").empty());
    REQUIRE(first.handed_over.size() == 1);
    const auto letter = first.handed_over[0];
    CHECK(letter.shard == 1);
    const auto in = second.handover(letter);
    REQUIRE(in.size() == 1);
    CHECK(in[0].to == bob.path.tuple.client);
    CHECK(in[0].bytes == octets(std::string_view{"\x40\x01\x00\x02hi", 6}));

    // Gone by the time it gets there.
    bob.request(Method::refresh,
                [](auto& writer) { writer.add(attribute::lifetime, std::chrono::seconds{0}); });
    CHECK(second.handover(letter).empty());
    CHECK(second.drops(Drop::no_allocation) == 1);
  }
}

TEST_CASE("the other ports of this server's addresses stay closed") {
  for (const auto& [self, other, server] : families) {
    CAPTURE(server);
    const auto at = [server](std::string_view port) { return std::string{server}.append(port); };
    World world;
    auto client = allocated(world, self);
    client.permit(at(":22"));  // names no port
    CHECK(client.send_data(at(":22"), "x").empty());
    CHECK(client.send_data(at(":3478"), "x").empty());
    CHECK(world.drops(Drop::forbidden_peer) == 2);
    CHECK(code_of(client.request(Method::channel_bind, to_channel(0x4000, at(":22")))) == 403);
    const auto echo = client.send_data(at(":50000"), "self");
    REQUIRE(echo.size() == 1);
    CHECK(echo[0].to == client.path.tuple.client);
  }
}

TEST_CASE("a relay that closed is a closed port again, on a bound channel too") {
  World world;
  auto alice = allocated(world, "203.0.112.9:1");
  auto bob = allocated(world, "203.0.112.9:2");
  alice.bind(0x4000, "198.51.100.1:50001");
  bob.request(Method::refresh, [](stun::MessageWriter& writer) {
    writer.add(attribute::lifetime, std::chrono::seconds{0});
  });
  CHECK(alice.channel_data(0x4000, "x").empty());
  CHECK(world.drops(Drop::forbidden_peer) == 1);
}

TEST_CASE("this server's own services are reached when the configuration names them") {
  auto options = default_options();
  options.peers.allow = {IpRange::parse("198.51.100.1").value()};
  World world{options};
  auto client = allocated(world);
  client.bind(0x4000, "198.51.100.1:10000");
  CHECK(client.channel_data(0x4000, "to the SFU").size() == 1);
}

TEST_CASE("behind a 1:1 NAT own relays are reached inside, under their public name") {
  auto options = default_options();
  options.relay_addresses = {{address("203.0.114.1"), address("10.0.0.5")}};
  options.peers.own_addresses = {address("203.0.114.1"), address("10.0.0.5")};
  World world{options};
  auto alice = allocated(world, "203.0.112.9:1");
  auto bob = allocated(world, "203.0.112.9:2");
  alice.bind(0x4000, "203.0.114.1:50001");
  bob.bind(0x4000, "203.0.114.1:50000");
  const auto in = alice.channel_data(0x4000, "hi");
  CHECK(in.at(0).to == bob.path.tuple.client);
  CHECK(in.at(0).bytes == octets(std::string_view{"\x40\x00\x00\x02hi", 6}));
  CHECK(code_of(alice.request(Method::create_permission, to_peer("10.0.0.6:1"))) == 403);
}

TEST_CASE("a call goes on when the public address changes, and the next one has the new one") {
  auto options = default_options();
  options.relay_addresses = {{address("10.1.1.1"), address("10.0.0.5")}};
  options.peers.own_addresses = {address("10.1.1.1"), address("10.0.0.5")};
  World world{options};
  auto alice = allocated(world, "203.0.112.9:1");
  auto bob = allocated(world, "203.0.112.9:2");
  alice.bind(0x4000, "10.1.1.1:50001");
  bob.bind(0x4000, "10.1.1.1:50000");

  options.relay_addresses = {{address("10.1.1.2"), address("10.0.0.5")}};
  options.peers.own_addresses = {address("10.1.1.2"), address("10.0.0.5")};
  world.readdress(options);
  CHECK(alice.channel_data(0x4000, "hi").at(0).to == bob.path.tuple.client);
  alice.permit("10.1.1.1:50001");  // and can be kept up

  Client carol{world, "203.0.112.9:3"};
  CHECK(carol.allocate() == endpoint("10.1.1.2:50002"));
  carol.bind(0x4000, "10.1.1.1:50000");
  alice.permit("10.1.1.2:50002");
  CHECK(carol.channel_data(0x4000, "hi").at(0).to == alice.path.tuple.client);

  // Once nobody is left there, the old address is nothing special any more.
  alice.request(Method::refresh,
                [](auto& writer) { writer.add(attribute::lifetime, std::chrono::seconds{0}); });
  bob.request(Method::refresh,
              [](auto& writer) { writer.add(attribute::lifetime, std::chrono::seconds{0}); });
  world.readdress(options);
  CHECK(code_of(carol.request(Method::create_permission, to_peer("10.1.1.1:50001"))) == 403);
}

TEST_CASE("traffic is counted without its framing") {
  World world;
  auto client = allocated(world);
  client.bind(0x4000, peer);
  client.channel_data(0x4000, "12345");
  world.from_peer(client.relay, endpoint(peer), "123");
  const auto& counters = world.engine.counters();
  CHECK(counters.client_to_peer.packets == 1);
  CHECK(counters.client_to_peer.bytes == 5);
  CHECK(counters.peer_to_client.packets == 1);
  CHECK(counters.peer_to_client.bytes == 3);
}

TEST_CASE("connections that claim one five-tuple are two clients") {  // RFC 8656 §3.2
  World world;
  Client victim{world, "203.0.112.9:1", Transport::tcp};
  victim.path.socket = SocketRef::stream(1, 1);
  const auto relayed = victim.allocate();
  victim.bind(0x4000, peer);
  // A proxy says, wrongly or of an earlier connection, that this is the same client.
  Client other{world, "203.0.112.9:1", Transport::tcp};
  other.path.socket = SocketRef::stream(2, 1);
  const auto before = world.drops(Drop::no_allocation);
  CHECK(other.channel_data(0x4000, "forged").empty());
  CHECK(other.send_data(peer, "forged").empty());
  CHECK(world.drops(Drop::no_allocation) == before + 2);
  CHECK(code_of(other.request(Method::refresh)) == 437);

  SUBCASE("each with its allocation") {
    CHECK(other.allocate() != relayed);
    CHECK(world.quota.total() == 2);
    other.bind(0x4000, peer);
    CHECK(other.channel_data(0x4000, "own").at(0).from == SocketRef::relay(other.relay));
    world.client_closed(other.path);
    CHECK(world.closed == std::vector{other.relay});
  }
  SUBCASE("and the end of one is not the other's") {
    world.client_closed(other.path);
    CHECK(world.closed.empty());
  }
  CHECK(victim.channel_data(0x4000, "still").at(0).from == SocketRef::relay(victim.relay));
  CHECK(world.engine.consistent());
}

}  // namespace yuelao::turn::test::relay_test

// RFC 8656 §7.2.

#include <doctest/doctest.h>

#include "protocol/stun/integrity.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test::allocate_test {
namespace {

Client::Fill with_lifetime(std::chrono::seconds lifetime) {
  return [lifetime](stun::MessageWriter& writer) {
    requesting_udp()(writer);
    writer.add(attribute::lifetime, lifetime);
  };
}

Client::Fill with_family(Family family) {
  return [family](stun::MessageWriter& writer) {
    requesting_udp()(writer);
    writer.add(attribute::requested_address_family, family);
  };
}

template <class A>
Client::Fill with(const A& attribute, const typename A::Value& value) {
  return [attribute, value](stun::MessageWriter& writer) {
    requesting_udp()(writer);
    writer.add(attribute, value);
  };
}

}  // namespace

TEST_CASE("an allocation is answered with its relay, its lifetime and the mapped address") {
  World world;
  Client client{world, "203.0.112.9:40000"};
  const auto answer = client.request(Method::allocate, requesting_udp());
  REQUIRE(code_of(answer) == 0);
  CHECK(answer->from == client.path.socket);
  CHECK(answer->to == client.path.tuple.client);
  const auto message = answer->message();
  CHECK(message.get(attribute::xor_relayed_address) == endpoint("198.51.100.1:50000"));
  CHECK(message.get(attribute::xor_mapped_address) == client.path.tuple.client);
  CHECK(message.get(attribute::lifetime) == 600s);
  CHECK(message.has(attribute::message_integrity.type));
  CHECK_FALSE(message.has(attribute::software.type));
}

TEST_CASE("a second Allocate on a five-tuple is a mismatch") {  // step 2
  World world;
  Client client{world, "203.0.112.9:40000"};
  client.allocate();
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 437);
  Client bob{world, "203.0.112.9:40000"};
  bob.user = "bob";
  bob.password = "builder";
  CHECK(code_of(bob.request(Method::allocate, requesting_udp())) == 437);
  CHECK(world.engine.allocation_count() == 1);
}

TEST_CASE("a retransmitted Allocate gets the same answer and no second relay") {
  World world;
  Client client{world, "203.0.112.9:40000"};
  client.request(Method::allocate);  // learns the nonce
  const auto message = client.compose(Method::allocate, requesting_udp());
  const auto first = client.send(message);
  const auto second = client.send(message);
  REQUIRE(first.size() == 1);
  REQUIRE(second.size() == 1);
  CHECK(first[0].bytes == second[0].bytes);
  CHECK(world.opening.size() == 1);
}

TEST_CASE("a retransmission while the relay opens is silent, and the answer comes once") {
  World world;
  world.relays = World::Relays::wait;
  Client client{world, "203.0.112.9:40000"};
  client.request(Method::allocate);
  const auto message = client.compose(Method::allocate, requesting_udp());
  CHECK(client.send(message).empty());
  CHECK(client.send(message).empty());
  CHECK(world.drops(Drop::still_opening) == 1);
  REQUIRE(world.opening.size() == 1);
  const auto sent = world.relay_opened(world.opening[0].id, endpoint("198.51.100.1:50000"));
  REQUIRE(sent.size() == 1);
  CHECK(code_of(sent[0]) == 0);
  CHECK(code_of(client.send(message).front()) == 0);
}

TEST_CASE("REQUESTED-TRANSPORT must be there and be UDP") {  // step 3
  World world;
  Client client{world, "203.0.112.9:40000"};
  CHECK(code_of(client.request(Method::allocate)) == 400);
  for (const int protocol : {0, 6, 16, 18, 255}) {
    CAPTURE(protocol);
    const auto value = static_cast<std::uint8_t>(protocol);
    CHECK(code_of(client.request(Method::allocate, [&](stun::MessageWriter& writer) {
            writer.add(attribute::requested_transport, value);
          })) == 442);
  }
  CHECK(code_of(client.request(Method::allocate, [&](stun::MessageWriter& writer) {
          writer.add(stun::Attribute<Bytes>{attribute::requested_transport.type}, as_bytes("x"));
        })) == 400);
}

TEST_CASE("attributes that are not understood are listed in a 420") {  // RFC 8489 §6.3.1
  World world;
  Client client{world, "203.0.112.9:40000"};
  const auto answer = client.request(Method::allocate, [](stun::MessageWriter& writer) {
    requesting_udp()(writer);
    writer.add(stun::Attribute<Bytes>{{0x7F01}}, as_bytes("what"))
        .add(stun::Attribute<Bytes>{{0xFF01}}, as_bytes("optional"))
        .add(stun::Attribute<Bytes>{{0x7F02}}, as_bytes("1234"));
  });
  CHECK(code_of(answer) == 420);
  const auto unknown = answer->message().get(attribute::unknown_attributes).value();
  REQUIRE(unknown.count == 2);
  CHECK(unknown.types[0] == stun::AttributeType{0x7F01});
  CHECK(unknown.types[1] == stun::AttributeType{0x7F02});
}

TEST_CASE("attributes of other methods are ignored") {  // RFC 8489 §6.3
  World world;
  Client client{world, "203.0.112.9:40000"};
  const auto answer = client.request(Method::allocate, [](stun::MessageWriter& writer) {
    requesting_udp()(writer);
    to_channel(0x4000, "192.0.78.1:1")(writer);
    writer.add(attribute::data, as_bytes("what"));
  });
  CHECK(code_of(answer) == 0);
  CHECK(world.engine.gauges(world.now).channels == 0);
}

TEST_CASE("nobody at the end of a Teredo or 6to4 tunnel gets a relay") {  // RFC 8656 §21.4
  World world;
  struct Row {
    std::string_view from;
    int code;
  };
  constexpr Row rows[] = {
      {"[2001::1]:1", 403}, {"[2001:0:ffff:ffff::]:1", 403},
      {"[2002::1]:1", 403}, {"[2002:cb00:7009::1]:1", 403},
      {"[2001:1::1]:1", 0}, {"[2003::1]:1", 0},
  };
  for (const auto& [from, code] : rows) {
    CAPTURE(from);
    Client client{world, from};
    CHECK(code_of(client.request(Method::allocate, requesting_udp())) == code);
  }
}

TEST_CASE("the relay's family follows the client unless it asks") {  // step 7
  World world;
  struct Row {
    std::string_view what, client;
    std::optional<Family> asked;
    Family got;
  };
  const Row rows[] = {
      {"IPv4 client that does not ask", "203.0.112.9:1", std::nullopt, Family::ipv4},
      {"IPv6 client that does not ask", "[2001:470::9]:1", std::nullopt, Family::ipv6},
      {"IPv4 client that asks for IPv6", "203.0.112.9:2", Family::ipv6, Family::ipv6},
      {"IPv6 client that asks for IPv4", "[2001:470::9]:2", Family::ipv4, Family::ipv4},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    Client client{world, row.client};
    const auto answer =
        client.request(Method::allocate, row.asked ? with_family(*row.asked) : requesting_udp());
    REQUIRE(code_of(answer) == 0);
    const auto relayed = answer->message().get(attribute::xor_relayed_address).value();
    CHECK(relayed.address.family() == row.got);
  }
}

TEST_CASE("a family without a relay address is refused, or avoided when nobody asked") {
  auto options = default_options();
  options.relay_addresses.pop_back();
  World world{options};
  Client client{world, "[2001:470::9]:1"};
  CHECK(code_of(client.request(Method::allocate, with_family(Family::ipv6))) == 440);
  CHECK(client.allocate().address.family() == Family::ipv4);

  options.relay_addresses = {{address("2001:470:1::1"), address("2001:470:1::1")}};
  World only_v6{options};
  Client v4{only_v6, "203.0.112.9:1"};
  CHECK(code_of(v4.request(Method::allocate, requesting_udp())) == 440);
}

TEST_CASE("EVEN-PORT asks the world for an even port") {  // step 8
  World world;
  Client client{world, "203.0.112.9:1"};
  CHECK(code_of(client.request(Method::allocate, with(attribute::even_port, {false}))) == 0);
  REQUIRE(world.opening.size() == 1);
  CHECK(world.opening[0].parity == Parity::even);
  Client other{world, "203.0.112.9:2"};
  other.allocate();
  CHECK(world.opening[1].parity == Parity::any);
}

TEST_CASE("a family that does not exist is 440, a value that is none 400") {
  World world;
  Client client{world, "203.0.112.9:1"};
  CHECK(code_of(client.request(
            Method::allocate, with(stun::Attribute<Bytes>{attribute::requested_address_family.type},
                                   as_bytes("\x01")))) == 400);
  const auto answer = client.request(
      Method::allocate, with(stun::Attribute<Bytes>{attribute::requested_address_family.type},
                             as_bytes(std::string_view{"\x07\0\0\0", 4})));
  CHECK(code_of(answer) == 440);
}

TEST_CASE("the lifetime is at least the default and at most the maximum") {
  struct Row {
    std::chrono::seconds asked, granted;
  };
  constexpr Row rows[] = {{0s, 600s},     {1s, 600s},     {600s, 600s},        {601s, 601s},
                          {3600s, 3600s}, {3601s, 3600s}, {4294967295s, 3600s}};
  World world;
  std::uint16_t port = 1;
  for (const auto& [asked, granted] : rows) {
    CAPTURE(asked.count());
    Client client{world, "203.0.112.9:" + std::to_string(port++)};
    const auto answer = client.request(Method::allocate, with_lifetime(asked));
    REQUIRE(code_of(answer) == 0);
    CHECK(answer->message().get(attribute::lifetime) == granted);
  }
}

// RFC 7350 §4.6
TEST_CASE("a relay for TCP is not to be had over UDP or DTLS") {
  for (const auto transport : {Transport::udp, Transport::dtls}) {
    World world;
    Client client{world, "203.0.112.9:1", transport};
    const auto answer = client.request(Method::allocate, [](stun::MessageWriter& writer) {
      constexpr std::array tcp{std::byte{6}, std::byte{0}, std::byte{0}, std::byte{0}};
      writer.add(stun::Attribute<Bytes>{attribute::requested_transport.type}, Bytes{tcp});
    });
    CHECK(code_of(answer) == 442);
    CHECK(world.engine.allocation_count() == 0);
  }
}

TEST_CASE("each way a relay can fail to open is 508 and leaves nothing behind") {
  for (const auto failure :
       {RelayFailure::no_port, RelayFailure::no_descriptor, RelayFailure::bind_failed}) {
    World world;
    world.relays = World::Relays::fail;
    world.failure = failure;
    Client client{world, "203.0.112.9:1"};
    const auto answer = client.request(Method::allocate, requesting_udp());
    CHECK(code_of(answer) == 508);
    CHECK(answer->message().has(attribute::message_integrity.type));
    CHECK(world.engine.allocation_count() == 0);
    CHECK(world.quota.total() == 0);
    CHECK(world.closed.empty());
    world.relays = World::Relays::open;
    client.allocate();
  }
}

TEST_CASE("a client that leaves while its relay opens leaves no relay open") {
  World world;
  world.relays = World::Relays::wait;
  Client client{world, "203.0.112.9:1", Transport::tcp};
  client.request(Method::allocate, requesting_udp());
  world.client_closed(client.path);
  CHECK(world.quota.total() == 0);
  REQUIRE(world.opening.size() == 1);
  CHECK(world.relay_opened(world.opening[0].id, endpoint("198.51.100.1:50000")).empty());
  CHECK(world.closed == world.opened);
}

TEST_CASE("quotas answer 486 for a user and for a prefix, 508 for the server") {  // step 10
  struct Row {
    std::string_view what;
    Limits limits;
    std::string_view second_client;
    int code;
  };
  const Row rows[] = {
      {"user", {.allocations_per_user = 1}, "203.0.111.1:1", 486},
      {"IPv4 address", {.allocations_per_prefix = 1}, "203.0.112.9:2", 486},
      {"another IPv4 address", {.allocations_per_prefix = 1}, "203.0.112.10:2", 0},
      {"server", {.allocations = 1}, "203.0.111.1:1", 508},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    auto options = default_options();
    options.limits = row.limits;
    World world{options};
    Client first{world, "203.0.112.9:1"};
    first.allocate();
    Client second{world, row.second_client};
    CHECK(code_of(second.request(Method::allocate, requesting_udp())) == row.code);
    const auto& counters = world.engine.counters();
    CHECK(counters.quota_refused_user + counters.quota_refused_prefix +
              counters.quota_refused_total ==
          (row.code == 0 ? 0 : 1));
  }
}

TEST_CASE("all of an IPv6 /64 shares one prefix quota") {
  auto options = default_options();
  options.limits.allocations_per_prefix = 1;
  World world{options};
  Client first{world, "[2001:470:2:3::1]:1"};
  first.allocate();
  Client same{world, "[2001:470:2:3:ffff::2]:1"};
  CHECK(code_of(same.request(Method::allocate, requesting_udp())) == 486);
  Client other{world, "[2001:470:2:4::1]:1"};
  other.allocate();
}

TEST_CASE("what a quota counted is given back when the allocation ends") {
  auto options = default_options();
  options.limits.allocations_per_user = 1;
  World world{options};
  Client first{world, "203.0.112.9:1"};
  first.allocate();
  world.pass(601s);
  CHECK(world.quota.total() == 0);
  CHECK(world.quota.users() == 0);
  CHECK(world.quota.prefixes() == 0);
  Client second{world, "203.0.112.9:2"};
  second.allocate();
}

TEST_CASE("a draining server takes no new allocation and keeps the old ones") {
  World world;
  Client old{world, "203.0.112.9:1"};
  old.allocate();
  world.engine.drain();
  Client late{world, "203.0.112.9:2"};
  CHECK(code_of(late.request(Method::allocate, requesting_udp())) == 508);
  CHECK(code_of(old.request(Method::refresh)) == 0);
  old.permit("192.0.78.1:1");
}

namespace {

// ALTERNATE-SERVER, as often as it is there, in order.
std::vector<Endpoint> alternates_in(const stun::Message& message) {
  std::vector<Endpoint> servers;
  message.for_each([&](stun::AttributeType type, Bytes value) {
    if (type != attribute::alternate_server.type) return;
    servers.push_back(stun::PlainAddressCodec::decode(value, {}).value());
  });
  return servers;
}

}  // namespace

TEST_CASE("a draining server sends new clients to the other one") {  // RFC 8489 §10, §14.15
  auto options = default_options();
  options.alternate_server = {{endpoint("198.51.100.2:443"), endpoint("[2001:470:1::2]:0")},
                              "b.example.org"};
  World world{options};
  Client old{world, "203.0.112.9:1"};
  old.allocate();
  world.engine.drain();
  struct Row {
    std::string_view what, address;
    Transport transport;
    std::array<std::string_view, 2> servers;
  };
  constexpr Row rows[] = {
      {"IPv4", "203.0.112.9:2", Transport::udp, {"198.51.100.2:443", "[2001:470:1::2]:3478"}},
      {"IPv6", "[2001:470::9]:2", Transport::udp, {"[2001:470:1::2]:3478", "198.51.100.2:443"}},
      {"TLS", "203.0.112.9:3", Transport::tls, {"198.51.100.2:443", "[2001:470:1::2]:3478"}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    Client client{world, row.address, row.transport};
    client.algorithm = stun::KeyAlgorithm::sha256;
    const auto answer = client.request(Method::allocate, requesting_udp());
    REQUIRE(code_of(answer) == 300);
    const auto message = answer->message();
    CHECK(alternates_in(message) ==
          std::vector{endpoint(row.servers[0]), endpoint(row.servers[1])});
    CHECK(message.get(attribute::alternate_domain) == "b.example.org");
    const stun::LongTermKey key{stun::KeyAlgorithm::sha256, "alice", "yuelao", "wonderland"};
    CHECK(stun::verify_integrity_sha256(message, key.bytes()) == stun::Integrity::valid);
  }
  // Whoever has a relay keeps it; strangers are told nothing.
  CHECK(code_of(old.request(Method::refresh)) == 0);
  Client stranger{world, "203.0.112.9:4"};
  CHECK(code_of(stranger.unsigned_request(Method::allocate, requesting_udp())) == 401);
  CHECK(code_of(stranger.unsigned_request(Method::binding)) == 0);
}

TEST_CASE("nobody is sent to an address of the other family alone") {  // RFC 8489 §10
  auto options = default_options();
  options.alternate_server = {{endpoint("198.51.100.2:3478")}, {}};
  World world{options};
  world.engine.drain();
  Client four{world, "203.0.112.9:1"};
  const auto answer = four.request(Method::allocate, requesting_udp());
  CHECK(code_of(answer) == 300);
  CHECK_FALSE(answer->message().has(attribute::alternate_domain.type));
  Client six{world, "[2001:470::9]:1"};
  CHECK(code_of(six.request(Method::allocate, requesting_udp())) == 508);
}

TEST_CASE("SOFTWARE is sent only when configured") {
  auto options = default_options();
  options.software = "yuelao";
  World world{options};
  Client client{world, "203.0.112.9:1"};
  const auto answer = client.request(Method::allocate, requesting_udp());
  CHECK(answer->message().get(attribute::software) == "yuelao");
}

TEST_CASE("FINGERPRINT is sent to those who send it") {
  World world;
  Client client{world, "203.0.112.9:1"};
  CHECK_FALSE(client.request(Method::allocate, requesting_udp())->message().has_fingerprint());
  client.fingerprint = true;
  CHECK(client.request(Method::refresh)->message().has_fingerprint());
}

TEST_CASE("behind a 1:1 NAT clients are told the public address") {
  auto options = default_options();
  options.relay_addresses = {{address("203.0.114.1"), address("10.0.0.5")}};
  World world{options};
  Client client{world, "203.0.112.9:1"};
  CHECK(client.allocate() == endpoint("203.0.114.1:50000"));
}

}  // namespace yuelao::turn::test::allocate_test

// RFC 8656 §6, §7.2 steps 6 to 9, §8: dual allocations.

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::dual_allocation_test {
namespace {

Client::Fill requesting_both(Family additional = Family::ipv6) {
  return [additional](stun::MessageWriter& writer) {
    requesting_udp()(writer);
    writer.add(attribute::additional_address_family, additional);
  };
}

Client::Fill of_family(Family family) {
  return [family](stun::MessageWriter& writer) {
    writer.add(attribute::requested_address_family, family);
  };
}

Client::Fill ending(std::optional<Family> family) {
  return [family](stun::MessageWriter& writer) {
    writer.add(attribute::lifetime, 0s);
    if (family) writer.add(attribute::requested_address_family, *family);
  };
}

Client::Fill to_peers(const std::vector<std::string_view>& peers) {
  return [peers](stun::MessageWriter& writer) {
    for (const auto peer : peers) writer.add(attribute::xor_peer_address, endpoint(peer));
  };
}

std::vector<Endpoint> relayed(const stun::Message& message) {
  std::vector<Endpoint> found;
  message.for_each([&](stun::AttributeType type, Bytes value) {
    if (type != attribute::xor_relayed_address.type) return;
    found.push_back(
        stun::XorAddressCodec::decode(value, message.transaction_id().cookie_and_id()).value());
  });
  return found;
}

constexpr auto peer_v4 = "192.0.78.1:7000";
constexpr auto peer_v6 = "[2001:470:7::1]:7000";

// A client with both relays; `v4` and `v6` are the engine's numbers for them.
struct DualCall {
  explicit DualCall(Options options = default_options()) : world{patient(options)} {
    REQUIRE(code_of(client.request(Method::allocate, requesting_both())) == 0);
    REQUIRE(world.opened.size() == 2);
    v4 = world.opened[0];
    v6 = world.opened[1];
  }

  // No nonce gets stale before the calls do.
  static Options& patient(Options& options) {
    options.nonce_lifetime = 24h;
    return options;
  }

  World world;
  Client client{world, "203.0.112.9:1"};
  RelayId v4, v6;
};

}  // namespace

TEST_CASE("ADDITIONAL-ADDRESS-FAMILY gives a relay of each family on one five-tuple") {  // step 9
  World world;
  for (const auto* address : {"203.0.112.9:1", "[2001:470::9]:1"}) {
    CAPTURE(address);
    Client client{world, address};
    const auto answer = client.request(Method::allocate, requesting_both());
    REQUIRE(code_of(answer) == 0);
    const auto addresses = relayed(answer->message());
    REQUIRE(addresses.size() == 2);
    CHECK(addresses[0].address == default_options().relay_addresses[0].advertised);
    CHECK(addresses[1].address == default_options().relay_addresses[1].advertised);
    CHECK_FALSE(answer->message().has(attribute::address_error_code.type));
    CHECK(answer->message().get(attribute::lifetime) == 600s);
  }
  CHECK(world.engine.allocation_count() == 4);
  CHECK(world.engine.gauges(world.now).allocations[0] == std::array<std::uint64_t, 2>{2, 2});
}

TEST_CASE("what ADDITIONAL-ADDRESS-FAMILY may not stand beside is 400") {  // steps 6, 8, 9
  struct Row {
    std::string_view what;
    Client::Fill fill;
  };
  const Row rows[] = {
      {"IPv4 as the additional family", requesting_both(Family::ipv4)},
      {"both attributes",
       [](stun::MessageWriter& writer) {
         requesting_both()(writer);
         writer.add(attribute::requested_address_family, Family::ipv4);
       }},
      {"a port to be reserved",
       [](stun::MessageWriter& writer) {
         requesting_both()(writer);
         writer.add(attribute::even_port, {true});
       }},
      {"a family that does not exist",
       [](stun::MessageWriter& writer) {
         requesting_udp()(writer);
         writer.add(stun::Attribute<Bytes>{attribute::additional_address_family.type},
                    as_bytes(std::string_view{"\x07\0\0\0", 4}));
       }},
      {"a value that is too short",
       [](stun::MessageWriter& writer) {
         requesting_udp()(writer);
         writer.add(stun::Attribute<Bytes>{attribute::additional_address_family.type},
                    as_bytes("\x02"));
       }},
  };
  World world;
  Client client{world, "203.0.112.9:1"};
  for (const auto& [what, fill] : rows) {
    CAPTURE(what);
    CHECK(code_of(client.request(Method::allocate, fill)) == 400);
  }
  CHECK(world.opening.empty());
}

TEST_CASE("EVEN-PORT without a reservation holds for both relays") {
  World world;
  Client client{world, "203.0.112.9:1"};
  CHECK(code_of(client.request(Method::allocate, [](stun::MessageWriter& writer) {
          requesting_both()(writer);
          writer.add(attribute::even_port, {false});
        })) == 0);
  REQUIRE(world.opening.size() == 2);
  for (const auto& open : world.opening) CHECK(open.parity == Parity::even);
}

TEST_CASE("a family this server has no address of is named in ADDRESS-ERROR-CODE") {  // step 9
  for (const auto served : {Family::ipv4, Family::ipv6}) {
    auto options = default_options();
    std::erase_if(options.relay_addresses,
                  [served](const auto& one) { return one.advertised.family() != served; });
    World world{options};
    Client client{world, "203.0.112.9:1"};
    const auto answer = client.request(Method::allocate, requesting_both());
    REQUIRE(code_of(answer) == 0);
    REQUIRE(relayed(answer->message()).size() == 1);
    CHECK(relayed(answer->message())[0].address.family() == served);
    const auto error = answer->message().get(attribute::address_error_code).value();
    CHECK(error.family == other(served));
    CHECK(error.code == 440);
    CHECK(world.quota.total() == 1);
  }
}

TEST_CASE("a relay of the two that cannot be opened is 508 in ADDRESS-ERROR-CODE") {  // step 9
  for (const bool v4_fails : {false, true}) {
    for (const bool v4_first : {false, true}) {
      CAPTURE(v4_fails);
      CAPTURE(v4_first);
      World world;
      world.relays = World::Relays::wait;
      Client client{world, "203.0.112.9:1"};
      client.request(Method::allocate);
      const auto request = client.compose(Method::allocate, requesting_both());
      CHECK(client.send(request).empty());
      REQUIRE(world.opening.size() == 2);
      const auto outcome = [&](bool v4) -> std::expected<Endpoint, RelayFailure> {
        if (v4 == v4_fails) return std::unexpected{RelayFailure::no_port};
        return endpoint(v4 ? "198.51.100.1:50000" : "[2001:470:1::1]:50000");
      };
      const auto id = [&](bool v4) { return world.opening[v4 ? 0 : 1].id; };
      CHECK(world.relay_opened(id(v4_first), outcome(v4_first)).empty());
      CHECK(client.send(request).empty());  // a retransmission is not answered early
      const auto sent = world.relay_opened(id(!v4_first), outcome(!v4_first));
      REQUIRE(sent.size() == 1);
      REQUIRE(code_of(sent[0]) == 0);
      const auto error = sent[0].message().get(attribute::address_error_code).value();
      CHECK(error.family == (v4_fails ? Family::ipv4 : Family::ipv6));
      CHECK(error.code == 508);
      CHECK(relayed(sent[0].message()).size() == 1);
      CHECK(world.engine.allocation_count() == 1);
      CHECK(world.quota.total() == 1);
      // And a retransmission gets the same.
      CHECK(client.send(request).at(0).bytes == sent[0].bytes);
    }
  }
}

TEST_CASE("when neither relay can be opened, the request is 508 and leaves nothing") {
  World world;
  world.relays = World::Relays::fail;
  Client client{world, "203.0.112.9:1"};
  CHECK(code_of(client.request(Method::allocate, requesting_both())) == 508);
  CHECK(world.engine.allocation_count() == 0);
  CHECK(world.quota.total() == 0);
  world.relays = World::Relays::open;
  CHECK(code_of(client.request(Method::allocate, requesting_both())) == 0);
}

TEST_CASE("a retransmitted Allocate gets both addresses again") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.request(Method::allocate);
  const auto request = client.compose(Method::allocate, requesting_both());
  const auto first = client.send(request);
  const auto second = client.send(request);
  REQUIRE(first.size() == 1);
  REQUIRE(second.size() == 1);
  CHECK(first[0].bytes == second[0].bytes);
  CHECK(world.opening.size() == 2);
  CHECK(code_of(client.request(Method::allocate, requesting_both())) == 437);
}

TEST_CASE("a dual allocation counts as two; with room for one it is one") {  // step 10
  auto options = default_options();
  options.limits.allocations_per_user = 3;
  World world{options};
  Client first{world, "203.0.112.9:1"};
  CHECK(code_of(first.request(Method::allocate, requesting_both())) == 0);
  CHECK(world.quota.total() == 2);
  Client second{world, "203.0.112.9:2"};
  const auto answer = second.request(Method::allocate, requesting_both());
  REQUIRE(code_of(answer) == 0);
  CHECK(answer->message().get(attribute::address_error_code).value().code == 508);
  CHECK(world.quota.total() == 3);
  CHECK(world.engine.counters().quota_refused_user == 1);
  Client third{world, "203.0.112.9:3"};
  CHECK(code_of(third.request(Method::allocate, requesting_both())) == 486);
  world.close_all();
  CHECK(world.quota.total() == 0);
  CHECK(world.closed.size() == world.opened.size());
}

TEST_CASE("a peer is reached from the relay of its family") {
  DualCall call;
  call.client.permit(peer_v4);
  call.client.permit(peer_v6);
  for (const auto* peer : {peer_v4, peer_v6}) {
    CAPTURE(peer);
    const auto relay = endpoint(peer).address.family() == Family::ipv4 ? call.v4 : call.v6;
    const auto sent = call.client.send_data(peer, "hello");
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].from == SocketRef::relay(relay));
    CHECK(sent[0].to == endpoint(peer));
    const auto heard = call.world.from_peer(relay, endpoint(peer), "hello yourself");
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].to == call.client.path.tuple.client);
    CHECK(heard[0].message().get(attribute::xor_peer_address) == endpoint(peer));
  }
}

TEST_CASE("CreatePermission may name peers of both families, all or nothing") {  // §10.2
  auto options = default_options();
  options.limits.permissions_per_allocation = 2;
  DualCall call{options};
  const auto ask = [&](const std::vector<std::string_view>& peers) {
    return code_of(call.client.request(Method::create_permission, to_peers(peers)));
  };
  CHECK(ask({peer_v4, "[::1]:1"}) == 403);
  CHECK(ask({peer_v6, "[2001:470:7::2]:1", "[2001:470:7::3]:1", peer_v4}) == 508);
  CHECK(call.client.send_data(peer_v4, "x").empty());
  CHECK(call.client.send_data(peer_v6, "x").empty());
  // Each relay has its own list.
  CHECK(ask({peer_v4, "192.0.78.2:1", peer_v6, "[2001:470:7::2]:1"}) == 0);
  CHECK(call.client.send_data(peer_v4, "x").size() == 1);
  CHECK(call.client.send_data(peer_v6, "x").size() == 1);
}

TEST_CASE("a permission of one relay permits nothing on the other") {  // §9
  DualCall call;
  call.client.permit(peer_v4);
  CHECK(call.world.from_peer(call.v6, endpoint(peer_v4), "x").empty());
  CHECK(call.world.drops(Drop::no_permission) == 1);
}

TEST_CASE("both relays share the channel numbers") {  // §12.2
  DualCall call;
  call.client.bind(0x4000, peer_v4);
  CHECK(code_of(call.client.request(Method::channel_bind, to_channel(0x4000, peer_v6))) == 400);
  CHECK(code_of(call.client.request(Method::channel_bind, to_channel(0x4001, peer_v4))) == 400);
  call.client.bind(0x4001, peer_v6);
  call.client.bind(0x4001, peer_v6);
  CHECK(call.client.channel_data(0x4000, "x").at(0).from == SocketRef::relay(call.v4));
  CHECK(call.client.channel_data(0x4001, "x").at(0).from == SocketRef::relay(call.v6));
  const auto heard = call.world.from_peer(call.v6, endpoint(peer_v6), "in");
  REQUIRE(heard.size() == 1);
  CHECK(load_u16(heard[0].bytes) == 0x4001);
}

TEST_CASE("Refresh is for both relays, or for the one it names") {  // §8.1
  DualCall call;
  call.world.pass_silently(500s);
  CHECK(code_of(call.client.request(Method::refresh, of_family(Family::ipv6))) == 0);
  call.world.pass(101s);
  CHECK(call.world.closed == std::vector{call.v4});
  CHECK(call.world.engine.counters().allocations_expired == 1);
  CHECK(code_of(call.client.request(Method::refresh, of_family(Family::ipv4))) == 443);
  CHECK(code_of(call.client.request(Method::refresh)) == 0);
  call.world.pass(601s);
  CHECK(call.world.engine.allocation_count() == 0);
  CHECK(code_of(call.client.request(Method::refresh)) == 437);

  DualCall both;
  both.world.pass_silently(500s);
  CHECK(code_of(both.client.request(Method::refresh)) == 0);
  both.world.pass(500s);
  CHECK(both.world.closed.empty());
}

TEST_CASE("ending one relay leaves the other's permissions and channels alone") {  // §8.1
  for (const auto ended : {Family::ipv4, Family::ipv6}) {
    DualCall call;
    call.client.bind(0x4000, peer_v4);
    call.client.bind(0x4001, peer_v6);
    const auto answer = call.client.request(Method::refresh, ending(ended));
    CHECK(code_of(answer) == 0);
    CHECK(answer->message().get(attribute::lifetime) == 0s);
    const bool v4_ended = ended == Family::ipv4;
    CHECK(call.world.closed == std::vector{v4_ended ? call.v4 : call.v6});
    CHECK(call.world.quota.total() == 1);
    CHECK(call.client.channel_data(0x4000, "x").size() == (v4_ended ? 0 : 1));
    CHECK(call.client.channel_data(0x4001, "x").size() == (v4_ended ? 1 : 0));
    CHECK(call.world.drops(Drop::no_channel) == 1);
    const auto* gone = v4_ended ? peer_v4 : peer_v6;
    CHECK(code_of(call.client.request(Method::create_permission, to_peers({gone}))) == 443);
    CHECK(code_of(call.client.request(Method::channel_bind, to_channel(0x4002, gone))) == 443);
    CHECK(call.client.send_data(gone, "x").empty());
    CHECK(call.world.drops(Drop::wrong_family) == 1);
    // The five-tuple is in use as long as there is one of them.
    CHECK(code_of(call.client.request(Method::allocate, requesting_both())) == 437);
    CHECK(code_of(call.client.request(Method::refresh, ending(ended))) == 443);
    CHECK(code_of(call.client.request(Method::refresh, ending(other(ended)))) == 0);
    CHECK(call.world.engine.allocation_count() == 0);
    CHECK(code_of(call.client.request(Method::allocate, requesting_both())) == 0);
  }
}

TEST_CASE("Refresh with a lifetime of zero ends both relays") {
  DualCall call;
  CHECK(code_of(call.client.request(Method::refresh, ending(std::nullopt))) == 0);
  CHECK(call.world.closed.size() == 2);
  CHECK(call.world.engine.allocation_count() == 0);
  CHECK(call.world.quota.total() == 0);
}

TEST_CASE("another user may not touch either relay") {  // §5
  DualCall call;
  Client bob{call.world, "203.0.112.9:1"};
  bob.user = "bob";
  bob.password = "builder";
  CHECK(code_of(bob.request(Method::refresh, ending(Family::ipv6))) == 441);
  CHECK(code_of(bob.request(Method::create_permission, to_peers({peer_v6}))) == 441);
  CHECK(code_of(bob.request(Method::channel_bind, to_channel(0x4000, peer_v6))) == 441);
  CHECK(call.world.closed.empty());
}

TEST_CASE("an expired relay is as good as gone before anybody clears it away") {
  DualCall call;
  call.client.permit(peer_v4);
  call.client.permit(peer_v6);
  CHECK(code_of(call.client.request(Method::refresh, [](stun::MessageWriter& writer) {
          of_family(Family::ipv4)(writer);
          writer.add(attribute::lifetime, 3600s);
        })) == 0);
  call.world.pass_silently(601s);
  CHECK(code_of(call.client.request(Method::create_permission, to_peers({peer_v6}))) == 443);
  CHECK(call.client.send_data(peer_v6, "x").empty());
  CHECK(code_of(call.client.request(Method::create_permission, to_peers({peer_v4}))) == 0);
  CHECK(call.client.send_data(peer_v4, "x").size() == 1);
}

TEST_CASE("a stream that ends takes both relays along, opened or not") {
  for (const bool waits : {false, true}) {
    World world;
    if (waits) world.relays = World::Relays::wait;
    Client client{world, "203.0.112.9:1", Transport::tcp};
    client.request(Method::allocate, requesting_both());
    world.client_closed(client.path);
    CHECK(world.quota.total() == 0);
    CHECK(world.engine.allocation_count() == 0);
    REQUIRE(world.opening.size() == 2);
    if (waits) {
      CHECK(world.relay_opened(world.opening[1].id, endpoint("[2001:470:1::1]:50000")).empty());
      CHECK(world.relay_opened(world.opening[0].id, endpoint("198.51.100.1:50000")).empty());
    }
    CHECK(world.closed.size() == 2);
  }
}

TEST_CASE("a draining server gives no dual allocation and keeps those it has") {
  DualCall call;
  call.world.engine.drain();
  Client late{call.world, "203.0.112.9:2"};
  CHECK(code_of(late.request(Method::allocate, requesting_both())) == 508);
  CHECK(code_of(call.client.request(Method::refresh)) == 0);
  CHECK(code_of(call.client.request(Method::refresh, ending(Family::ipv4))) == 0);
  CHECK(call.world.engine.allocation_count() == 1);
}

}  // namespace yuelao::turn::test::dual_allocation_test

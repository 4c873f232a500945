// RFC 8656 §7.2: EVEN-PORT with the R bit, and RESERVATION-TOKEN.

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::reservation_test {
namespace {

Client::Fill reserving(std::optional<Family> family = std::nullopt) {
  return [family](stun::MessageWriter& writer) {
    requesting_udp()(writer);
    writer.add(attribute::even_port, {true});
    if (family) writer.add(attribute::requested_address_family, *family);
  };
}

Client::Fill using_token(const ReservationToken& token) {
  return [token](stun::MessageWriter& writer) {
    requesting_udp()(writer);
    writer.add(attribute::reservation_token, token);
  };
}

// A client that has an even port and the token of the next.
struct Reserved {
  explicit Reserved(World& in_world, std::string_view from = "203.0.112.9:1",
                    std::optional<Family> family = std::nullopt)
      : client{in_world, from} {
    const auto answer = client.request(Method::allocate, reserving(family));
    REQUIRE(code_of(answer) == 0);
    relayed = answer->message().get(attribute::xor_relayed_address).value();
    token = answer->message().get(attribute::reservation_token).value();
  }
  Endpoint next() const { return {relayed.address, static_cast<std::uint16_t>(relayed.port + 1)}; }

  Client client;
  Endpoint relayed;
  ReservationToken token{};
};

// Nothing is left: neither counted nor in a table.
void check_empty(const World& world) {
  CHECK(world.engine.allocation_count() == 0);
  CHECK(world.reservations.size() == 0);
  CHECK(world.quota.total() == 0);
  CHECK(world.held.empty());
}

std::optional<Sent> use(World& world, const ReservationToken& token,
                        std::string_view from = "203.0.111.1:9") {
  Client client{world, from};
  return client.request(Method::allocate, using_token(token));
}

}  // namespace

TEST_CASE("the port above an even one is kept, and its token opens it once, from anywhere") {
  World world;
  const Reserved first{world};
  CHECK(first.relayed.port % 2 == 0);
  const auto second = use(world, first.token, "[2001:470::9]:9");
  REQUIRE(code_of(second) == 0);
  CHECK(second->message().get(attribute::xor_relayed_address) == first.next());
  CHECK(second->message().get(attribute::lifetime) == 600s);
  CHECK_FALSE(second->message().has(attribute::reservation_token.type));
  CHECK(code_of(use(world, first.token)) == 508);
  CHECK(world.engine.allocation_count() == 2);
  CHECK(world.quota.total() == 2);
  world.pass(601s);
  check_empty(world);
}

TEST_CASE("a reserved relay works like any other") {
  World world;
  const Reserved first{world};
  Client second{world, "203.0.111.1:9", Transport::tcp};
  REQUIRE(code_of(second.request(Method::allocate, using_token(first.token))) == 0);
  const auto relay = world.opened.back();
  second.permit("192.0.78.1:1");
  CHECK(second.send_data("192.0.78.1:1", "out").at(0).from == SocketRef::relay(relay));
  CHECK(world.from_peer(relay, endpoint("192.0.78.1:1"), "in").size() == 1);
}

TEST_CASE("a reservation is of its family, whichever client uses it") {
  World world;
  const Reserved first{world, "203.0.112.9:1", Family::ipv6};
  const auto second = use(world, first.token);
  REQUIRE(code_of(second) == 0);
  CHECK(second->message().get(attribute::xor_relayed_address) == first.next());
  CHECK(first.next().address.family() == Family::ipv6);
}

TEST_CASE("what a token may not stand beside is 400, and so is half a token") {  // step 5
  World world;
  const Reserved first{world};
  const auto with_token = [&](auto add) {
    return [&first, add](stun::MessageWriter& writer) {
      using_token(first.token)(writer);
      add(writer);
    };
  };
  struct Row {
    std::string_view what;
    Client::Fill fill;
  };
  const Row rows[] = {
      {"EVEN-PORT", with_token([](auto& writer) { writer.add(attribute::even_port, {false}); })},
      {"EVEN-PORT with R", with_token([](auto& w) { w.add(attribute::even_port, {true}); })},
      {"REQUESTED-ADDRESS-FAMILY", with_token([](auto& writer) {
         writer.add(attribute::requested_address_family, Family::ipv4);
       })},
      {"ADDITIONAL-ADDRESS-FAMILY", with_token([](auto& writer) {
         writer.add(attribute::additional_address_family, Family::ipv6);
       })},
      {"four octets",
       [](stun::MessageWriter& writer) {
         requesting_udp()(writer);
         writer.add(stun::Attribute<Bytes>{attribute::reservation_token.type}, as_bytes("half"));
       }},
  };
  Client client{world, "203.0.111.1:9"};
  for (const auto& [what, fill] : rows) {
    CAPTURE(what);
    CHECK(code_of(client.request(Method::allocate, fill)) == 400);
  }
  // None of them has used it up.
  CHECK(code_of(client.request(Method::allocate, using_token(first.token))) == 0);
}

TEST_CASE("a port is held for thirty seconds and not longer") {
  struct Row {
    std::chrono::seconds after;
    int code;
  };
  for (const auto& [after, code] : {Row{29s, 0}, Row{30s, 508}}) {
    World world;
    const Reserved first{world};
    world.pass_silently(after);  // expiry is a comparison: advance() has not been called
    CHECK(code_of(use(world, first.token)) == code);
  }
  World world;
  const Reserved first{world};
  world.pass(29s);
  CHECK(world.held.size() == 1);
  world.pass(1s);
  CHECK(world.held.empty());
  CHECK(world.closed_reserved == std::vector{first.token});
  CHECK(world.quota.total() == 1);
  world.pass(600s);
  check_empty(world);
}

TEST_CASE("a port stays held when the allocation that reserved it has ended") {
  World world;
  Reserved first{world};
  CHECK(code_of(first.client.request(Method::refresh, [](stun::MessageWriter& writer) {
          writer.add(attribute::lifetime, 0s);
        })) == 0);
  CHECK(code_of(use(world, first.token)) == 0);
}

TEST_CASE("another user's token, and one that never was, is 508") {  // step 5
  World world;
  const Reserved first{world};
  Client bob{world, "203.0.111.1:9"};
  bob.user = "bob";
  bob.password = "builder";
  CHECK(code_of(bob.request(Method::allocate, using_token(first.token))) == 508);
  auto guessed = first.token;
  guessed[7] ^= std::byte{1};
  CHECK(code_of(use(world, guessed)) == 508);
  CHECK(code_of(use(world, first.token)) == 0);
}

TEST_CASE("a retransmission gets the same token again, and opens nothing") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.request(Method::allocate);
  const auto request = client.compose(Method::allocate, reserving());
  const auto first = client.send(request);
  CHECK(first.at(0).message().has(attribute::reservation_token.type));
  CHECK(client.send(request).at(0).bytes == first.at(0).bytes);
  CHECK(world.reservations.size() == 1);

  const auto token = first.at(0).message().get(attribute::reservation_token).value();
  Client second{world, "203.0.111.1:9"};
  second.request(Method::allocate);
  const auto using_it = second.compose(Method::allocate, using_token(token));
  const auto answer = second.send(using_it);
  CHECK(code_of(answer.at(0)) == 0);
  CHECK(second.send(using_it).at(0).bytes == answer.at(0).bytes);
  CHECK(world.opened.size() == 2);
}

TEST_CASE("tokens are drawn at random") {
  World world;
  const Reserved first{world};
  const Reserved second{world, "203.0.112.9:2"};
  CHECK(first.token != second.token);
  CHECK(load_u64(first.token) != 0);
}

TEST_CASE(
    "where no pair of ports is to be had, the request is 508 and nothing is left") {  // step 8
  World world;
  world.relays = World::Relays::fail;
  Client client{world, "203.0.112.9:1"};
  CHECK(code_of(client.request(Method::allocate, reserving())) == 508);
  check_empty(world);
  world.relays = World::Relays::open;
  CHECK(code_of(client.request(Method::allocate, reserving())) == 0);
}

TEST_CASE("a reserved port that cannot be opened after all is 508, and the token is spent") {
  World world;
  const Reserved first{world};
  world.relays = World::Relays::fail;
  CHECK(code_of(use(world, first.token)) == 508);
  world.relays = World::Relays::open;
  CHECK(code_of(use(world, first.token)) == 508);
  world.pass(601s);
  check_empty(world);
}

TEST_CASE("a port that is held counts as its user's") {  // step 10
  auto options = default_options();
  options.limits.allocations_per_user = 2;
  World world{options};
  const Reserved first{world};
  CHECK(world.quota.total() == 2);
  Client other{world, "203.0.111.1:1"};
  CHECK(code_of(other.request(Method::allocate, requesting_udp())) == 486);
  // What was counted for the port is counted for its allocation.
  CHECK(code_of(use(world, first.token)) == 0);
  CHECK(world.quota.total() == 2);

  options.limits.allocations_per_user = 1;
  World tight{options};
  Client client{tight, "203.0.112.9:1"};
  CHECK(code_of(client.request(Method::allocate, reserving())) == 486);
  check_empty(tight);
}

TEST_CASE("a client whose quota is reached gets no reserved port, which is free again") {
  auto options = default_options();
  options.limits.allocations_per_prefix = 2;
  World world{options};
  const Reserved first{world};
  Client crowded{world, "203.0.111.1:1"};
  crowded.allocate();
  Client too{world, "203.0.111.1:2"};
  too.allocate();
  CHECK(code_of(use(world, first.token)) == 486);
  CHECK(world.held.empty());
  CHECK(world.closed_reserved == std::vector{first.token});
  CHECK(world.quota.total() == 3);
}

TEST_CASE("the number of reservations is bounded, and one more is 508") {
  World world;
  for (std::uint32_t i = 0; i < ReservationBook::limit; ++i) {
    ReservationToken token{};
    store_u32(token, i + 1);
    REQUIRE(world.reservations.hold(
        token, {.user = "carol", .client = {}, .expires = world.now.steady + 30s}));
  }
  Client client{world, "203.0.112.9:1"};
  CHECK(code_of(client.request(Method::allocate, reserving())) == 508);
  CHECK(world.quota.total() == 0);
  client.allocate();
}

TEST_CASE("a reservation is used in another shard than it was made in") {
  const auto options = default_options();
  World one{options};
  World two{options, {one.quota, one.directory, one.reservations, one.roaming, one.bandwidth, 1}};
  const Reserved first{one};
  two.held = std::exchange(one.held, {});
  const auto second = use(two, first.token);
  REQUIRE(code_of(second) == 0);
  CHECK(second->message().get(attribute::xor_relayed_address) == first.next());
  CHECK(one.directory.owner(first.next()) == 1);
  // The shard that made it has nothing left to give back.
  one.pass(31s);
  CHECK(one.closed_reserved.empty());
  CHECK(one.quota.total() == 2);
}

TEST_CASE("a port of an address that is no longer this server's is not to be had") {
  auto options = default_options();
  World world{options};
  const Reserved first{world};
  options.relay_addresses = {{address("198.51.100.2"), address("198.51.100.2")}};
  world.readdress(options);
  CHECK(code_of(use(world, first.token)) == 508);
  CHECK(world.closed.size() == 1);
  CHECK(world.quota.total() == 1);
}

TEST_CASE("a draining server opens no reserved port, and a closing one gives it back") {
  World world;
  const Reserved first{world};
  world.engine.drain();
  CHECK(code_of(use(world, first.token)) == 508);
  CHECK(world.held.size() == 1);
  world.close_all();
  check_empty(world);
}

TEST_CASE("a stream that ends while its pair of ports opens leaves no relay open") {
  World world;
  world.relays = World::Relays::wait;
  Client client{world, "203.0.112.9:1", Transport::tcp};
  client.request(Method::allocate, reserving());
  world.client_closed(client.path);
  REQUIRE(world.opening.size() == 1);
  CHECK(world.relay_opened(world.opening[0].id, endpoint("198.51.100.1:50000")).empty());
  CHECK(world.closed == world.opened);
  world.pass(31s);
  check_empty(world);
}

}  // namespace yuelao::turn::test::reservation_test

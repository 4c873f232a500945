// RFC 8016, in one shard.

#include <algorithm>

#include <doctest/doctest.h>

#include "protocol/turn/ticket.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test::mobility_test {
namespace {

constexpr std::string_view home = "203.0.112.9:1";
constexpr std::string_view away = "203.0.113.7:2";
constexpr std::string_view peer = "192.0.78.1:1";

Options mobile_options() {
  auto options = default_options();
  options.mobility = true;
  return options;
}

Client::Fill asking(const Client::Fill& fill = requesting_udp()) {
  return [fill](stun::MessageWriter& writer) {
    fill(writer);
    writer.add(attribute::mobility_ticket, Bytes{});
  };
}

Client::Fill showing(const Octets& ticket, const Client::Fill& fill = {}) {
  return [ticket, fill](stun::MessageWriter& writer) {
    writer.add(attribute::mobility_ticket, ticket);
    if (fill) fill(writer);
  };
}

Octets ticket_of(const std::optional<Sent>& answer) {
  const auto value = answer.value().message().value_of(attribute::mobility_ticket.type).value();
  return {value.begin(), value.end()};
}

// A client with an allocation, a ticket for it, a permission and a channel.
struct Mobile {
  explicit Mobile(World& world, std::string_view from = home, Transport transport = Transport::udp)
      : client{world, from, transport} {
    const auto answer = client.request(Method::allocate, asking());
    REQUIRE(code_of(answer) == 0);
    ticket = ticket_of(answer);
    relayed = answer->message().get(attribute::xor_relayed_address).value();
    relay = world.opened.back();
    client.bind(0x4001, peer);
  }

  Client client;
  Octets ticket;
  Endpoint relayed;
  RelayId relay;
};

// Where a peer's datagram comes out.
Endpoint heard_at(World& world, RelayId relay) {
  const auto sent = world.from_peer(relay, endpoint(peer), "from the peer");
  REQUIRE(sent.size() == 1);
  CHECK(load_u16(sent[0].bytes) == 0x4001);
  return sent[0].to;
}

TEST_CASE("who asks for a ticket gets one, and nobody else") {  // RFC 8016 §3.1.2
  World world{mobile_options()};
  Client with{world, home};
  const auto answer = with.request(Method::allocate, asking());
  CHECK(code_of(answer) == 0);
  const auto ticket = ticket_of(answer);
  CHECK(ticket.size() == 32);
  CHECK(std::ranges::find(ticket, std::byte{0}) == ticket.end());
  CHECK(world.engine.gauges(world.now).mobile == 1);

  Client without{world, away};
  const auto plain = without.request(Method::allocate, requesting_udp());
  CHECK(code_of(plain) == 0);
  CHECK_FALSE(plain->message().has(attribute::mobility_ticket.type));
  CHECK(world.engine.gauges(world.now).mobile == 1);
}

TEST_CASE("where mobility is off, who asks for a ticket is told 405") {  // RFC 8016 §3.1.2
  World world;
  Client client{world, home};
  CHECK(code_of(client.request(Method::allocate, asking())) == 405);
  CHECK(world.engine.allocation_count() == 0);
  CHECK(world.quota.total() == 0);
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 0);
}

TEST_CASE("an Allocate with a ticket that is not empty is 400") {  // RFC 8016 §3.1.2
  for (const bool mobility : {false, true}) {
    auto options = default_options();
    options.mobility = mobility;
    World world{options};
    Client client{world, home};
    const auto fill = [](stun::MessageWriter& writer) {
      requesting_udp()(writer);
      writer.add(attribute::mobility_ticket, as_bytes("x"));
    };
    CHECK(code_of(client.request(Method::allocate, fill)) == 400);
  }
}

TEST_CASE("a client that moves keeps its relay, permissions and channels") {  // RFC 8016 §3.2.2
  World world{mobile_options()};
  Mobile mobile{world};
  world.pass(100s);
  Client moved{world, away};
  const auto answer = moved.request(Method::refresh, showing(mobile.ticket));
  REQUIRE(code_of(answer) == 0);
  CHECK(answer->message().get(attribute::lifetime) == 600s);
  CHECK(ticket_of(answer) != mobile.ticket);

  CHECK(moved.channel_data(0x4001, "over here").at(0).from == SocketRef::relay(mobile.relay));
  CHECK(heard_at(world, mobile.relay) == endpoint(away));
  CHECK(moved.send_data(peer, "as data").size() == 1);
  moved.bind(0x4001, peer);
  CHECK(world.engine.allocation_count() == 1);
  CHECK(world.engine.counters().allocations_moved == 1);
  CHECK(world.engine.counters().allocations_created == 1);
  CHECK(world.notices.back().event == Notice::Event::allocation_moved);
  CHECK(world.notices.back().tuple == moved.path.tuple);
  world.pass(601s);
  CHECK(world.engine.allocation_count() == 0);
  CHECK(world.quota.total() == 0);
  CHECK(world.quota.prefixes() == 0);
}

TEST_CASE("the old five-tuple serves until data comes from the new one") {  // RFC 8016 §3.2.2
  struct Row {
    std::string_view what;
    std::function<void(Client&)> send;
  };
  const Row rows[] = {
      {"ChannelData", [](Client& client) { client.channel_data(0x4001, "x"); }},
      {"ChannelData on a channel that is not bound",
       [](Client& client) { client.channel_data(0x4002, "x"); }},
      {"Send indication", [](Client& client) { client.send_data(peer, "x"); }},
      {"Send indication to somebody without a permission",
       [](Client& client) { client.send_data("192.0.78.9:1", "x"); }},
  };
  for (const auto& [what, send] : rows) {
    CAPTURE(what);
    World world{mobile_options()};
    Mobile mobile{world};
    Client moved{world, away};
    REQUIRE(code_of(moved.request(Method::refresh, showing(mobile.ticket))) == 0);

    // Both are the client's; what the peer says still goes to the old one.
    CHECK(heard_at(world, mobile.relay) == endpoint(home));
    CHECK(mobile.client.channel_data(0x4001, "still here").size() == 1);
    CHECK(code_of(mobile.client.request(Method::refresh)) == 0);
    CHECK(code_of(moved.request(Method::refresh)) == 0);
    moved.permit(peer);
    CHECK(heard_at(world, mobile.relay) == endpoint(home));
    CHECK(world.engine.counters().allocations_moved == 0);

    send(moved);
    CHECK(heard_at(world, mobile.relay) == endpoint(away));
    CHECK(mobile.client.channel_data(0x4001, "gone").empty());
    CHECK(code_of(mobile.client.request(Method::refresh)) == 437);
    CHECK(world.engine.counters().allocations_moved == 1);
  }
}

TEST_CASE("data that comes before the Refresh is discarded") {  // RFC 8016 §3.2.2
  World world{mobile_options()};
  const Mobile mobile{world};
  Client moved{world, away};
  CHECK(moved.channel_data(0x4001, "too early").empty());
  CHECK(world.drops(Drop::no_allocation) == 1);
}

TEST_CASE("a Refresh with a ticket is refused as its ticket and its client deserve") {
  World world{mobile_options()};
  Mobile mobile{world};
  Client moved{world, away};
  const auto refused = [&](Client& client, const Octets& ticket, const Client::Fill& fill = {}) {
    return code_of(client.request(Method::refresh, showing(ticket, fill)));
  };

  SUBCASE("without credentials it is challenged, and its ticket says nothing") {  // RFC 8016 §5
    CHECK(code_of(moved.unsigned_request(Method::refresh, showing(mobile.ticket))) == 401);
    moved.password = "wrong";
    CHECK(refused(moved, mobile.ticket) == 401);
  }
  SUBCASE("405 once mobility was turned off") {
    world.reconfigure(default_options());
    CHECK(refused(moved, mobile.ticket) == 405);
    CHECK(code_of(mobile.client.request(Method::refresh)) == 0);
  }
  SUBCASE("400 for what is no ticket of ours, whichever octet is wrong") {  // RFC 8016 §5
    CHECK(refused(moved, {}) == 400);
    CHECK(refused(moved, octets("not a ticket")) == 400);
    CHECK(refused(moved, Octets(mobile.ticket.begin(), mobile.ticket.end() - 1)) == 400);
    for (std::size_t at = 0; at < mobile.ticket.size(); ++at) {
      auto forged = mobile.ticket;
      forged[at] ^= std::byte{1};
      CHECK(refused(moved, forged) == 400);
    }
  }
  SUBCASE("400 from where the client is") { CHECK(refused(mobile.client, mobile.ticket) == 400); }
  SUBCASE("400 from where it moves to, with the newest ticket too") {
    const auto answer = moved.request(Method::refresh, showing(mobile.ticket));
    CHECK(refused(moved, ticket_of(answer)) == 400);
    moved.channel_data(0x4001, "x");
    CHECK(refused(moved, ticket_of(answer)) == 400);
  }
  SUBCASE("437 for an allocation that has ended") {
    CHECK(code_of(mobile.client.request(
              Method::refresh, [](auto& writer) { writer.add(attribute::lifetime, 0s); })) == 0);
    CHECK(refused(moved, mobile.ticket) == 437);
  }
  SUBCASE("437 for an allocation that has expired, cleaned up or not") {
    world.pass_silently(601s);
    CHECK(refused(moved, mobile.ticket) == 437);
    world.pass(1s);
    CHECK(refused(moved, mobile.ticket) == 437);
  }
  SUBCASE("437 where another allocation has its port by now") {
    CHECK(code_of(mobile.client.request(
              Method::refresh, [](auto& writer) { writer.add(attribute::lifetime, 0s); })) == 0);
    world.next_port = mobile.relayed.port;
    CHECK(Mobile{world}.relayed == mobile.relayed);
    CHECK(refused(moved, mobile.ticket) == 437);
  }
  SUBCASE("437 from a five-tuple with an allocation of its own") {
    moved.allocate();
    CHECK(refused(moved, mobile.ticket) == 437);
    CHECK(heard_at(world, mobile.relay) == endpoint(home));
  }
  SUBCASE("437 from a five-tuple that another allocation moves to") {
    const Mobile other{world, "203.0.112.9:5"};
    CHECK(refused(moved, other.ticket) == 0);
    CHECK(refused(moved, mobile.ticket) == 437);
  }
  SUBCASE("441 for another user's") {
    moved.user = "bob";
    moved.password = "builder";
    CHECK(refused(moved, mobile.ticket) == 441);
  }
  SUBCASE("403 from the end of a tunnel") {  // RFC 8656 §21.4
    Client tunnelled{world, "[2002::1]:1"};
    CHECK(refused(tunnelled, mobile.ticket) == 403);
  }
  SUBCASE("443 for a relay of a family that it has none of") {
    CHECK(refused(moved, mobile.ticket, [](auto& writer) {
            writer.add(attribute::requested_address_family, Family::ipv6);
          }) == 443);
  }
  CHECK(world.engine.counters().allocations_moved <= 1);
  CHECK(world.engine.consistent());
}

TEST_CASE("the old ticket is good for a retransmission alone") {  // RFC 8016 §3.2.2
  World world{mobile_options()};
  Mobile mobile{world};
  Client moved{world, away};
  REQUIRE(code_of(moved.request(Method::refresh)) == 437);  // learns the nonce
  const auto refresh = moved.compose(Method::refresh, showing(mobile.ticket));
  const auto first = moved.send(refresh);
  REQUIRE(first.size() == 1);
  REQUIRE(code_of(first[0]) == 0);
  const auto newest = ticket_of(first[0]);

  SUBCASE("which is answered as before, with a ticket as good") {
    world.pass(29s);
    const auto again = moved.send(refresh);
    REQUIRE(code_of(again.at(0)) == 0);
    CHECK(again[0].message().get(attribute::lifetime) == 571s);
    Client further{world, "203.0.113.8:3"};
    CHECK(code_of(further.request(Method::refresh, showing(ticket_of(again[0])))) == 0);
  }
  SUBCASE("also when data has come already") {
    moved.channel_data(0x4001, "x");
    CHECK(code_of(moved.send(refresh).at(0)) == 0);
    CHECK(heard_at(world, mobile.relay) == endpoint(away));
  }
  SUBCASE("for 30 seconds") {
    world.pass(30s);
    CHECK(code_of(moved.send(refresh).at(0)) == 400);
  }
  SUBCASE("and not for another transaction, or from elsewhere") {
    CHECK(code_of(moved.request(Method::refresh, showing(mobile.ticket))) == 400);
    Client elsewhere{world, "203.0.113.8:3"};
    CHECK(code_of(elsewhere.request(Method::refresh, showing(mobile.ticket))) == 400);
  }
  SUBCASE("and not once there is a newer one") {
    Client further{world, "203.0.113.8:3"};
    CHECK(code_of(further.request(Method::refresh, showing(newest))) == 0);
    CHECK(code_of(moved.send(refresh).at(0)) == 400);
  }
  CHECK(world.quota.total() == 1);
}

TEST_CASE("a captured Refresh is of no use from another address") {  // RFC 8016 §5
  World world{mobile_options()};
  const Mobile mobile{world};
  Client moved{world, away};
  REQUIRE(code_of(moved.request(Method::refresh)) == 437);
  const auto refresh = moved.compose(Method::refresh, showing(mobile.ticket));
  const Client thief{world, "203.0.114.66:6"};
  const auto answer = world.from_client(thief.path, refresh);
  CHECK(code_of(answer.at(0)) == 438);
  CHECK(heard_at(world, mobile.relay) == endpoint(home));
}

TEST_CASE("a client may change its mind on the way") {
  World world{mobile_options()};
  Mobile mobile{world};
  Client first{world, away};
  const auto answer = first.request(Method::refresh, showing(mobile.ticket));
  Client second{world, "203.0.113.8:3"};
  REQUIRE(code_of(second.request(Method::refresh, showing(ticket_of(answer)))) == 0);

  CHECK(first.channel_data(0x4001, "too late").empty());
  CHECK(code_of(first.request(Method::refresh)) == 437);
  CHECK(heard_at(world, mobile.relay) == endpoint(home));
  CHECK(second.channel_data(0x4001, "here").size() == 1);
  CHECK(heard_at(world, mobile.relay) == endpoint("203.0.113.8:3"));
  // Back home: the old ticket is spent, and the old five-tuple is like any other.
  CHECK(code_of(mobile.client.request(Method::refresh, showing(mobile.ticket))) == 400);
}

TEST_CASE("an allocation moves from any transport to any other") {
  const auto transports = {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls};
  for (const auto from : transports) {
    for (const auto to : transports) {
      CAPTURE(from);
      CAPTURE(to);
      World world{mobile_options()};
      Mobile mobile{world, home, from};
      Client moved{world, away, to};
      REQUIRE(code_of(moved.request(Method::refresh, showing(mobile.ticket))) == 0);
      CHECK(moved.channel_data(0x4001, "here").size() == 1);
      const auto heard = world.from_peer(mobile.relay, endpoint(peer), "x");
      REQUIRE(heard.size() == 1);
      CHECK(heard[0].from == moved.path.socket);
      CHECK(world.engine.gauges(world.now).allocations[static_cast<std::size_t>(to)][0] == 1);
    }
  }
}

TEST_CASE("a client that closes its old connection has moved") {  // RFC 8016 §3.2.2
  World world{mobile_options()};
  Mobile mobile{world, home, Transport::tcp};
  Client moved{world, away};
  REQUIRE(code_of(moved.request(Method::refresh, showing(mobile.ticket))) == 0);
  world.client_closed(mobile.client.path);
  CHECK(world.engine.allocation_count() == 1);
  CHECK(world.engine.counters().allocations_moved == 1);
  CHECK(heard_at(world, mobile.relay) == endpoint(away));
}

TEST_CASE("a client that breaks before it makes finds its allocation again") {  // RFC 8016 §2
  for (const auto transport : {Transport::tcp, Transport::tls, Transport::dtls}) {
    CAPTURE(transport);
    World world{mobile_options()};
    Mobile mobile{world, home, transport};
    world.client_closed(mobile.client.path);
    CHECK(world.engine.allocation_count() == 1);
    Client moved{world, away, Transport::tcp};
    REQUIRE(code_of(moved.request(Method::refresh, showing(mobile.ticket))) == 0);
    CHECK(moved.channel_data(0x4001, "here").size() == 1);
    CHECK(heard_at(world, mobile.relay) == endpoint(away));

    // It is not waited for longer than for a client that falls silent.
    world.client_closed(moved.path);
    world.pass(601s);
    CHECK(world.engine.allocation_count() == 0);
    CHECK(world.quota.total() == 0);
  }
}

TEST_CASE("a client that leaves before it has its ticket leaves nothing behind") {
  World world{mobile_options()};
  world.relays = World::Relays::wait;
  Client client{world, home, Transport::tcp};
  CHECK_FALSE(client.request(Method::allocate, asking()).has_value());
  world.client_closed(client.path);
  CHECK(world.engine.allocation_count() == 0);
  CHECK(world.quota.total() == 0);
}

TEST_CASE("a client whose new connection breaks stays where it was") {
  World world{mobile_options()};
  Mobile mobile{world};
  Client moved{world, away, Transport::tcp};
  REQUIRE(code_of(moved.request(Method::refresh, showing(mobile.ticket))) == 0);
  world.client_closed(moved.path);
  CHECK(world.engine.allocation_count() == 1);
  CHECK(heard_at(world, mobile.relay) == endpoint(home));
  CHECK(mobile.client.channel_data(0x4001, "here").size() == 1);
}

TEST_CASE("both relays of a dual allocation move as one") {
  World world{mobile_options()};
  Client client{world, home};
  const auto answer =
      client.request(Method::allocate, asking([](stun::MessageWriter& writer) {
                       requesting_udp()(writer);
                       writer.add(attribute::additional_address_family, Family::ipv6);
                     }));
  REQUIRE(code_of(answer) == 0);
  REQUIRE(world.opened.size() == 2);
  const auto v4 = world.opened[0];
  const auto v6 = world.opened[1];
  client.permit(peer);
  client.permit("[2600::1]:1");
  const auto heard = [&](RelayId relay, std::string_view from) {
    return world.from_peer(relay, endpoint(from), "x").at(0).to;
  };

  Client moved{world, away};
  const auto refresh = moved.request(Method::refresh, showing(ticket_of(answer)));
  REQUIRE(code_of(refresh) == 0);
  CHECK(heard(v6, "[2600::1]:1") == endpoint(home));
  CHECK(moved.send_data(peer, "x").size() == 1);
  CHECK(heard(v4, peer) == endpoint(away));
  CHECK(heard(v6, "[2600::1]:1") == endpoint(away));
  CHECK(world.engine.counters().allocations_moved == 2);
  CHECK(world.quota.total() == 2);

  // One relay that is left is as mobile as two.
  const auto ending = [](stun::MessageWriter& writer) {
    writer.add(attribute::lifetime, 0s).add(attribute::requested_address_family, Family::ipv4);
  };
  CHECK(code_of(moved.request(Method::refresh, ending)) == 0);
  Client further{world, "[2600:7::7]:7"};
  CHECK(code_of(further.request(Method::refresh, showing(ticket_of(refresh)))) == 0);
  CHECK(further.send_data("[2600::1]:1", "x").size() == 1);
  CHECK(heard(v6, "[2600::1]:1") == endpoint("[2600:7::7]:7"));
  CHECK(world.quota.total() == 1);
  world.pass(601s);
  CHECK(world.engine.allocation_count() == 0);
  CHECK(world.quota.prefixes() == 0);
}

TEST_CASE("a moved client is counted where it has come to, once") {
  auto options = mobile_options();
  options.limits.allocations_per_prefix = 1;
  World world{options};
  Mobile mobile{world};
  Client neighbour{world, "203.0.112.9:7"};
  CHECK(code_of(neighbour.request(Method::allocate, requesting_udp())) == 486);
  Client resident{world, "203.0.113.7:7"};
  resident.allocate();

  // No room there: nothing changes, and the ticket stays good.
  Client moved{world, away};
  CHECK(code_of(moved.request(Method::refresh, showing(mobile.ticket))) == 486);
  CHECK(world.engine.counters().quota_refused_prefix == 2);
  CHECK(heard_at(world, mobile.relay) == endpoint(home));
  CHECK(code_of(resident.request(Method::refresh,
                                 [](auto& writer) { writer.add(attribute::lifetime, 0s); })) == 0);
  CHECK(code_of(moved.request(Method::refresh, showing(mobile.ticket))) == 0);
  CHECK(world.quota.total() == 1);
  CHECK(world.quota.prefixes() == 1);
  CHECK(code_of(resident.request(Method::allocate, requesting_udp())) == 486);
  CHECK(code_of(neighbour.request(Method::allocate, requesting_udp())) == 0);
}

TEST_CASE("a client may end its allocation from elsewhere") {
  World world{mobile_options()};
  const Mobile mobile{world};
  Client moved{world, away};
  const auto answer = moved.request(Method::refresh, showing(mobile.ticket, [](auto& writer) {
                                      writer.add(attribute::lifetime, 0s);
                                    }));
  CHECK(code_of(answer) == 0);
  CHECK(answer->message().get(attribute::lifetime) == 0s);
  CHECK(world.engine.allocation_count() == 0);
  CHECK(world.closed.size() == 1);
  CHECK(world.quota.total() == 0);
}

TEST_CASE("an expired user name moves its allocation all the same") {
  World world{mobile_options()};
  Client client{world, home};
  client.user = std::to_string(world.now.wall.time_since_epoch().count() + 60) + ":carol";
  client.password = stun::rest_password("new-secret", client.user);
  const auto answer = client.request(Method::allocate, asking());
  REQUIRE(code_of(answer) == 0);
  world.pass(120s);
  Client moved{world, away};
  moved.user = client.user;
  moved.password = client.password;
  CHECK(code_of(moved.request(Method::refresh, showing(ticket_of(answer)))) == 0);
  CHECK(code_of(moved.request(Method::refresh)) == 0);
}

TEST_CASE("an Allocate that comes again is answered with a ticket again") {
  World world{mobile_options()};
  Client client{world, home};
  REQUIRE(code_of(client.request(Method::refresh)) == 437);
  const auto allocate = client.compose(Method::allocate, asking());
  CHECK(code_of(client.send(allocate).at(0)) == 0);
  const auto again = client.send(allocate);
  REQUIRE(code_of(again.at(0)) == 0);
  Client moved{world, away};
  CHECK(code_of(moved.request(Method::refresh, showing(ticket_of(again[0])))) == 0);
}

TEST_CASE("a ticket is opened by the key that sealed it, and shows nothing") {  // RFC 8016 §5
  const TicketSealer sealer{Secret{"0123456789abcdef0123456789abcdef"}};
  const TicketSealer other{Secret{"0123456789abcdef0123456789abcdeg"}};
  std::size_t same = 0;
  auto before = sealer.seal({.session = 7, .sequence = 0, .shard = 3});
  for (std::uint32_t sequence = 1; sequence < 1000; ++sequence) {
    const Ticket ticket{.session = 7, .sequence = sequence, .shard = 3};
    const auto sealed = sealer.seal(ticket);
    CHECK(sealer.open(sealed) == ticket);
    CHECK_FALSE(other.open(sealed).has_value());
    // For clients that keep it as a C string.
    CHECK(std::ranges::find(sealed, std::byte{0}) == sealed.end());
    for (std::size_t at = 0; at < sealed.size(); ++at) same += sealed.at(at) == before.at(at);
    before = sealed;
  }
  // By chance one octet of 255 is as in the ticket before.
  CHECK(same < 999 * 32 / 200);
  const Ticket last{.session = 7, .sequence = Ticket::sequences - 1, .shard = 255};
  CHECK(sealer.open(sealer.seal(last)) == last);
}

}  // namespace
}  // namespace yuelao::turn::test::mobility_test

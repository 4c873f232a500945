// RFC 8016 between shards: an allocation stays in its own, and what its client says goes there.

#include <array>
#include <memory>

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::mobility_shards_test {
namespace {

constexpr std::string_view home = "203.0.112.9:1";
constexpr std::string_view away = "203.0.113.7:2";
constexpr std::string_view peer = "192.0.78.1:1";

Client::Fill showing(const Octets& ticket) {
  return [ticket](stun::MessageWriter& writer) { writer.add(attribute::mobility_ticket, ticket); };
}

void asking_for_ticket(stun::MessageWriter& writer) {
  requesting_udp()(writer);
  writer.add(attribute::mobility_ticket, Bytes{});
}

void ending(stun::MessageWriter& writer) { writer.add(attribute::lifetime, 0s); }

Octets ticket_in(const Sent& answer) {
  const auto value = answer.message().value_of(attribute::mobility_ticket.type).value();
  return {value.begin(), value.end()};
}

// Three shards of one server.
struct Shards {
  Shards() {
    options.mobility = true;
    for (ShardNumber i = 0; i < 3; ++i) {
      worlds.at(i) = std::make_unique<World>(
          options, Shared{quota, directory, reservations, roaming, bandwidth, i, 3});
      worlds.at(i)->next_port = static_cast<std::uint16_t>(50000 + i * 1000);
    }
  }

  World& operator[](std::size_t shard) { return *worlds.at(shard); }

  // What waits in the mailboxes; returns what is sent for it.
  std::vector<Sent> deliver() {
    std::vector<Sent> sent;
    for (const auto& world : worlds) {
      for (const auto& letter : std::exchange(world->forwarded, {})) {
        const auto more = worlds.at(letter.letter.shard)->forward(letter);
        sent.insert(sent.end(), more.begin(), more.end());
        CHECK(worlds.at(letter.letter.shard)->forwarded.empty());
      }
    }
    return sent;
  }

  Options options = default_options();
  QuotaLedger quota{options.limits};
  RelayDirectory directory{options.relay_addresses};
  ReservationBook reservations;
  RoamingTable roaming;
  BandwidthPool bandwidth{3};
  std::array<std::unique_ptr<World>, 3> worlds;
};

// An allocation in shard 0 with a channel, and its client's next address, whose datagrams the
// kernel gives to shard 1.
struct Crossing {
  explicit Crossing(Transport from = Transport::udp)
      : client{shards[0], home, from}, moved{shards[1], away} {
    const auto answer = client.request(Method::allocate, asking_for_ticket);
    REQUIRE(code_of(answer) == 0);
    ticket = ticket_in(*answer);
    client.bind(0x4001, peer);
    REQUIRE(code_of(moved.request(Method::refresh)) == 437);  // learns the nonce
  }

  Sent forwarded(Client& from, const Octets& message) {
    CHECK(from.send(message).empty());
    const auto answers = shards.deliver();
    REQUIRE(answers.size() == 1);
    return answers[0];
  }
  // The Refresh from a new address, and its answer.
  Sent refresh(Client& from, const Octets& shown) {
    return forwarded(from, from.compose(Method::refresh, showing(shown)));
  }
  Sent refresh() { return refresh(moved, ticket); }
  Endpoint heard_at() {
    const auto sent = shards[0].from_peer(client.relay, endpoint(peer), "from the peer");
    return sent.empty() ? Endpoint{} : sent[0].to;
  }

  Shards shards;
  Client client;
  Client moved;
  Octets ticket;
};

TEST_CASE("what a moved client says goes to the shard of its allocation") {  // RFC 8016 §3.2.2
  Crossing crossing;
  auto& shards = crossing.shards;
  crossing.client.relay = shards[0].opened.back();
  const auto answer = crossing.refresh();
  CHECK(code_of(answer) == 0);
  CHECK(answer.to == endpoint(away));
  CHECK(answer.from == crossing.moved.path.socket);
  CHECK(ticket_in(answer) != crossing.ticket);

  // Until data comes, both five-tuples are the client's.
  CHECK(crossing.heard_at() == endpoint(home));
  CHECK(crossing.client.channel_data(0x4001, "still here").size() == 1);
  const auto permit = crossing.moved.compose(Method::create_permission, to_peer(peer));
  CHECK(code_of(crossing.forwarded(crossing.moved, permit)) == 0);

  for (const auto* const text : {"one", "two", "three"}) {
    CHECK(crossing.moved.channel_data(0x4001, text).empty());
  }
  const auto relayed = shards.deliver();
  REQUIRE(relayed.size() == 3);
  CHECK(relayed[0].from == SocketRef::relay(crossing.client.relay));
  CHECK(relayed[0].bytes == octets("one"));
  CHECK(relayed[2].bytes == octets("three"));
  CHECK(crossing.heard_at() == endpoint(away));
  CHECK(crossing.moved.send_data(peer, "as data").empty());
  CHECK(shards.deliver().size() == 1);
  CHECK(crossing.client.channel_data(0x4001, "gone").empty());

  CHECK(shards[0].engine.counters().allocations_moved == 1);
  CHECK(shards[0].engine.allocation_count() == 1);
  CHECK(shards[1].engine.allocation_count() == 0);
  shards[0].pass(601s);
  CHECK(shards.quota.total() == 0);
  CHECK(shards.quota.prefixes() == 0);
  CHECK(shards.roaming.size() == 0);
}

TEST_CASE("a client moves on and on, and home again") {
  Crossing crossing;
  auto& shards = crossing.shards;
  crossing.client.relay = shards[0].opened.back();
  const auto second = ticket_in(crossing.refresh());
  crossing.moved.channel_data(0x4001, "x");
  shards.deliver();

  Client further{shards[2], "203.0.114.1:3"};
  REQUIRE(code_of(further.request(Method::refresh)) == 437);
  const auto answer = crossing.refresh(further, second);
  CHECK(code_of(answer) == 0);
  further.channel_data(0x4001, "x");
  CHECK(shards.deliver().size() == 1);
  CHECK(crossing.heard_at() == endpoint("203.0.114.1:3"));
  CHECK(shards.roaming.size() == 1);

  const auto back = crossing.client.request(Method::refresh, showing(ticket_in(answer)));
  CHECK(code_of(back) == 0);
  CHECK(crossing.client.channel_data(0x4001, "x").size() == 1);
  CHECK(crossing.heard_at() == endpoint(home));

  // What is spent stays so.
  CHECK(code_of(crossing.refresh(crossing.moved, crossing.ticket)) == 400);
  CHECK(code_of(crossing.refresh(further, second)) == 400);
}

TEST_CASE("a retransmission is known again") {
  Crossing crossing;
  const auto refresh = crossing.moved.compose(Method::refresh, showing(crossing.ticket));
  CHECK(code_of(crossing.forwarded(crossing.moved, refresh)) == 0);
  CHECK(code_of(crossing.forwarded(crossing.moved, refresh)) == 0);
  crossing.moved.channel_data(0x4001, "x");
  crossing.shards.deliver();
  CHECK(code_of(crossing.forwarded(crossing.moved, refresh)) == 0);
}

TEST_CASE("a Refresh from another shard is refused for the same reasons") {
  Crossing crossing;
  auto& shards = crossing.shards;
  const auto refused_here = [&](const std::optional<Sent>& answer) {
    CHECK(shards[1].forwarded.empty());
    return code_of(answer);
  };
  SUBCASE("401 without the password") {
    crossing.moved.password = "wrong";
    CHECK(code_of(crossing.refresh()) == 401);
  }
  SUBCASE("441 for another user") {
    crossing.moved.user = "bob";
    crossing.moved.password = "builder";
    CHECK(code_of(crossing.refresh()) == 441);
  }
  SUBCASE("437 for one that has ended") {
    crossing.client.request(Method::refresh, ending);
    CHECK(code_of(crossing.refresh()) == 437);
  }
  SUBCASE("437 for one that has expired") {
    for (const auto& world : shards.worlds) world->pass_silently(601s);
    crossing.moved.nonce.clear();
    REQUIRE(code_of(crossing.moved.request(Method::refresh)) == 437);
    CHECK(code_of(crossing.refresh()) == 437);
  }
  SUBCASE("437 from a five-tuple with an allocation, without asking the other shard") {
    crossing.moved.allocate();
    CHECK(refused_here(crossing.moved.request(Method::refresh, showing(crossing.ticket))) == 437);
    crossing.moved.request(Method::refresh, ending);
  }
  SUBCASE("without credentials it is challenged without asking the other shard") {
    const auto unsigned_one = [&] {
      return crossing.moved.unsigned_request(Method::refresh, showing(crossing.ticket));
    };
    CHECK(refused_here(unsigned_one()) == 401);
  }
  SUBCASE("400 for a forged ticket, without asking the other shard") {
    crossing.ticket.back() ^= std::byte{1};
    CHECK(refused_here(crossing.moved.request(Method::refresh, showing(crossing.ticket))) == 400);
  }
  SUBCASE("405 once mobility was turned off, without asking the other shard") {
    shards.worlds[1]->reconfigure(default_options());
    CHECK(refused_here(crossing.moved.request(Method::refresh, showing(crossing.ticket))) == 405);
  }
  CHECK(shards.roaming.size() == 0);
  CHECK(shards[0].engine.counters().allocations_moved == 0);
}

TEST_CASE("a client that has moved stays reachable when mobility is turned off") {
  Crossing crossing;
  auto& shards = crossing.shards;
  crossing.client.relay = shards[0].opened.back();
  crossing.refresh();
  crossing.moved.channel_data(0x4001, "x");
  shards.deliver();
  for (const auto& world : shards.worlds) world->reconfigure(default_options());
  crossing.moved.channel_data(0x4001, "x");
  CHECK(shards.deliver().size() == 1);
  CHECK(crossing.heard_at() == endpoint(away));
}

TEST_CASE("a five-tuple that a client moves to has no other allocation") {  // RFC 8656 §5
  Crossing crossing;
  auto& shards = crossing.shards;
  REQUIRE(code_of(crossing.refresh()) == 0);
  SUBCASE("of its own: it is the one that the Allocate finds") {
    const auto allocate = crossing.moved.compose(Method::allocate, requesting_udp());
    CHECK(code_of(crossing.forwarded(crossing.moved, allocate)) == 437);
  }
  SUBCASE("or that another shard's moves to") {
    Client resident{shards[1], "203.0.113.7:9"};
    const auto theirs = resident.request(Method::allocate, asking_for_ticket);
    REQUIRE(code_of(theirs) == 0);
    CHECK(code_of(crossing.refresh(crossing.moved, ticket_in(*theirs))) == 437);
    Client third{shards[2], "203.0.113.7:10"};
    const auto also = third.request(Method::allocate, asking_for_ticket);
    REQUIRE(code_of(also) == 0);
    CHECK(code_of(crossing.refresh(crossing.moved, ticket_in(*also))) == 437);
  }
  CHECK(shards.roaming.size() == 1);
}

TEST_CASE("an allocation that was made while the Refresh was under way keeps its five-tuple") {
  Crossing crossing;
  auto& shards = crossing.shards;
  crossing.client.relay = shards[0].opened.back();
  crossing.moved.send(crossing.moved.compose(Method::refresh, showing(crossing.ticket)));
  crossing.moved.allocate();
  shards.deliver();
  CHECK(crossing.heard_at() == endpoint(home));
  crossing.moved.permit(peer);
  CHECK(crossing.moved.send_data(peer, "mine").at(0).from ==
        SocketRef::relay(crossing.moved.relay));
}

TEST_CASE("whoever's allocation ends is passed on no longer") {
  Crossing crossing;
  auto& shards = crossing.shards;
  REQUIRE(code_of(crossing.refresh()) == 0);
  SUBCASE("ended from the old address") { crossing.client.request(Method::refresh, ending); }
  SUBCASE("ended from the new address") {
    CHECK(code_of(crossing.forwarded(crossing.moved,
                                     crossing.moved.compose(Method::refresh, ending))) == 0);
  }
  SUBCASE("expired") { shards[0].pass(601s); }
  SUBCASE("closed with the server") { shards[0].close_all(); }
  CHECK(shards.roaming.size() == 0);
  CHECK(crossing.moved.channel_data(0x4001, "x").empty());
  CHECK(shards[1].drops(Drop::no_allocation) == 1);
  CHECK(shards.quota.total() == 0);
}

TEST_CASE("what comes too late makes nothing where its client's datagrams do not come") {
  Crossing crossing;
  auto& shards = crossing.shards;
  REQUIRE(code_of(crossing.refresh()) == 0);
  crossing.moved.send(crossing.moved.compose(Method::allocate, requesting_udp()));
  crossing.client.request(Method::refresh, ending);
  CHECK(shards.deliver().empty());
  CHECK(shards[0].drops(Drop::moved) == 1);
  CHECK(shards[0].engine.allocation_count() == 0);
  // Asked again, its own shard makes one.
  crossing.moved.allocate();
  CHECK(shards[1].engine.allocation_count() == 1);
}

TEST_CASE("one that has expired and is not cleaned up does not keep its client from moving") {
  Crossing crossing;
  auto& shards = crossing.shards;
  crossing.moved.allocate();
  shards[1].pass_silently(601s);
  CHECK(code_of(crossing.refresh()) == 0);
  CHECK(shards[1].engine.allocation_count() == 0);
}

TEST_CASE("a stream or an association moves to the shard of the allocation as a whole") {
  for (const auto transport : {Transport::tcp, Transport::tls, Transport::dtls}) {
    CAPTURE(transport);
    Crossing crossing;
    auto& shards = crossing.shards;
    crossing.client.relay = shards[0].opened.back();
    Client moved{shards[1], "203.0.113.7:4", transport};
    REQUIRE(code_of(moved.request(Method::refresh)) == 437);
    const auto refresh = moved.compose(Method::refresh, showing(crossing.ticket));
    CHECK(moved.send(refresh).empty());
    REQUIRE(shards[1].moved.size() == 1);
    CHECK(shards[1].moved[0].client == moved.path.socket);
    CHECK(shards[1].moved[0].shard == 0);

    CHECK(code_of(shards[0].from_client(moved.path, refresh).at(0)) == 0);
    CHECK(shards.roaming.size() == 0);  // the server knows where it has gone
    Client there{shards[0], "203.0.113.7:4", transport};
    CHECK(there.channel_data(0x4001, "x").size() == 1);
    CHECK(crossing.heard_at() == endpoint("203.0.113.7:4"));
  }
}

TEST_CASE("a client that closes its old connection has moved, also to another shard") {
  Crossing crossing{Transport::tcp};
  auto& shards = crossing.shards;
  crossing.client.relay = shards[0].opened.back();
  REQUIRE(code_of(crossing.refresh()) == 0);
  shards[0].client_closed(crossing.client.path);
  CHECK(crossing.heard_at() == endpoint(away));
  CHECK(shards[0].engine.counters().allocations_moved == 1);
}

TEST_CASE("both relays of a dual allocation are reached from another shard") {
  Crossing crossing;
  auto& shards = crossing.shards;
  Client dual{shards[0], "203.0.112.9:8"};
  const auto answer = dual.request(Method::allocate, [](stun::MessageWriter& writer) {
    asking_for_ticket(writer);
    writer.add(attribute::additional_address_family, Family::ipv6);
  });
  REQUIRE(code_of(answer) == 0);
  dual.permit(peer);
  dual.permit("[2600::1]:1");
  CHECK(code_of(crossing.refresh(crossing.moved, ticket_in(*answer))) == 0);
  crossing.moved.send_data(peer, "x");
  crossing.moved.send_data("[2600::1]:1", "x");
  CHECK(shards.deliver().size() == 2);
}

}  // namespace
}  // namespace yuelao::turn::test::mobility_shards_test

// RFC 8016 between shards: an allocation follows its client, and always has one owner.

#include <array>

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test {
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

Octets ticket_in(const Sent& answer) {
  const auto value = answer.message().value_of(attribute::mobility_ticket.type).value();
  return {value.begin(), value.end()};
}

// Three shards, each of which has the others' letters delivered as the server does: what came
// first goes first, errands and allocations before messages.
struct Shards {
  Shards() {
    options.mobility = true;
    for (ShardNumber i = 0; i < 3; ++i) {
      worlds.at(i) = std::make_unique<World>(options, Shared{quota, directory, reservations, i});
      worlds.at(i)->next_port = static_cast<std::uint16_t>(50000 + i * 1000);
    }
  }

  World& operator[](std::size_t shard) { return *worlds.at(shard); }

  // One delivery of all that waits in `from`; what the others send to clients is returned.
  std::vector<Sent> deliver(std::size_t from) {
    auto& world = *worlds.at(from);
    std::vector<Sent> sent;
    const auto keep = [&](const std::vector<Sent>& more) {
      sent.insert(sent.end(), more.begin(), more.end());
    };
    for (const auto& errand : std::exchange(world.errands, {})) {
      keep(worlds.at(errand.to)->errand(errand));
    }
    for (const auto& depart : std::exchange(world.departed, {})) {
      keep(worlds.at(depart.to)->arrival(depart));
    }
    for (const auto& forwarded : std::exchange(world.forwarded, {})) {
      keep(worlds.at(forwarded.letter.to)->forward(forwarded));
    }
    one_owner();
    return sent;
  }
  std::vector<Sent> settle() {
    std::vector<Sent> sent;
    for (bool quiet = false; !quiet;) {
      quiet = true;
      for (std::size_t i = 0; i < worlds.size(); ++i) {
        const auto& world = *worlds.at(i);
        if (world.errands.empty() && world.departed.empty() && world.forwarded.empty()) continue;
        quiet = false;
        const auto more = deliver(i);
        sent.insert(sent.end(), more.begin(), more.end());
      }
    }
    return sent;
  }

  // In a shard, or on its way to one: never both, never none, and counted once.
  void one_owner() const {
    std::size_t owners = 0;
    for (const auto& world : worlds) {
      owners += world->engine.allocation_count();
      for (const auto& depart : world->departed) owners += depart.allocations.size();
    }
    CHECK(owners == quota.total());
  }

  Options options = default_options();
  QuotaLedger quota{options.limits};
  RelayDirectory directory{options.relay_addresses};
  ReservationBook reservations;
  std::array<std::unique_ptr<World>, 3> worlds;
};

// An allocation in shard 0 with a channel, and its client's next address in shard 1.
struct Crossing {
  explicit Crossing(Transport from = Transport::udp, Transport to = Transport::udp)
      : client{shards[0], home, from}, moved{shards[1], away, to} {
    const auto answer = client.request(Method::allocate, asking_for_ticket);
    REQUIRE(code_of(answer) == 0);
    ticket = ticket_in(*answer);
    client.bind(0x4001, peer);
    REQUIRE(code_of(moved.request(Method::refresh)) == 437);  // learns the nonce
  }

  // The Refresh from the new address, and its answer.
  Sent refresh() { return refresh_from(moved, ticket); }
  Sent refresh_from(Client& from, const Octets& shown) {
    CHECK(from.send(from.compose(Method::refresh, showing(shown))).empty());
    const auto answers = shards.settle();
    REQUIRE(answers.size() == 1);
    return answers[0];
  }
  Endpoint heard_at(std::size_t shard) {
    const auto relay = shards[shard].opened.back();
    const auto sent = shards[shard].from_peer(relay, endpoint(peer), "from the peer");
    return sent.empty() ? Endpoint{} : sent[0].to;
  }

  Shards shards;
  Client client;
  Client moved;
  Octets ticket;
};

TEST_CASE("an allocation follows its client to another shard") {  // RFC 8016 §3.2.2
  Crossing crossing;
  auto& shards = crossing.shards;
  const auto answer = crossing.refresh();
  CHECK(code_of(answer) == 0);
  CHECK(answer.to == endpoint(away));
  CHECK(ticket_in(answer) != crossing.ticket);

  // Until data comes, both five-tuples are the client's and the old shard decides.
  CHECK(shards[0].engine.allocation_count() == 1);
  CHECK(crossing.heard_at(0) == endpoint(home));
  CHECK(crossing.client.channel_data(0x4001, "still here").size() == 1);
  CHECK(crossing.moved.send(crossing.moved.compose(Method::create_permission, to_peer(peer)))
            .empty());
  CHECK(code_of(shards.settle().at(0)) == 0);
  CHECK(shards[1].engine.has_allocation(crossing.moved.path));
  CHECK_FALSE(shards[1].engine.idle());

  // The first datagram leaves from the old shard, where the relay still is; then it moves.
  CHECK(crossing.moved.channel_data(0x4001, "first").empty());
  const auto first = shards.deliver(1);
  REQUIRE(first.size() == 1);
  CHECK(first[0].from == SocketRef::relay(shards[0].opened.back()));
  CHECK(shards[0].engine.allocation_count() == 0);
  CHECK(shards[0].closed.empty());
  shards.settle();
  CHECK(shards[1].engine.allocation_count() == 1);
  CHECK(shards[1].taken_over.size() == 1);

  CHECK(crossing.heard_at(1) == endpoint(away));
  CHECK(crossing.moved.channel_data(0x4001, "second").at(0).from ==
        SocketRef::relay(shards[1].opened.back()));
  CHECK(crossing.client.channel_data(0x4001, "gone").empty());
  CHECK(shards[0].engine.counters().allocations_moved == 1);
  CHECK(shards[0].engine.idle());
  CHECK(shards.directory.owner({address("198.51.100.1"), 50000}) == 1);

  shards[1].pass(601s);
  CHECK(shards[1].closed.size() == 1);
  CHECK(shards.quota.total() == 0);
  CHECK(shards.quota.prefixes() == 0);
}

TEST_CASE("a burst from the new address arrives whole and in order") {
  Crossing crossing;
  auto& shards = crossing.shards;
  crossing.refresh();
  for (const auto* const text : {"one", "two", "three"}) crossing.moved.channel_data(0x4001, text);
  const auto sent = shards.settle();
  REQUIRE(sent.size() == 3);
  CHECK(sent[0].bytes == octets("one"));
  CHECK(sent[1].bytes == octets("two"));
  CHECK(sent[2].bytes == octets("three"));
  CHECK(shards[1].drops(Drop::no_allocation) == 0);
  CHECK(shards[1].drops(Drop::moving) == 0);
}

TEST_CASE("a retransmission finds its allocation before and after the move") {
  Crossing crossing;
  auto& shards = crossing.shards;
  const auto refresh = crossing.moved.compose(Method::refresh, showing(crossing.ticket));
  CHECK(crossing.moved.send(refresh).empty());
  CHECK(crossing.moved.send(refresh).empty());
  const auto answers = shards.settle();
  REQUIRE(answers.size() == 2);
  CHECK(code_of(answers[0]) == 0);
  CHECK(code_of(answers[1]) == 0);

  // One that overtakes the allocation on its way is sent back, and answered where it is by then.
  crossing.moved.channel_data(0x4001, "x");
  crossing.moved.send(refresh);
  const auto later = shards.settle();
  REQUIRE(later.size() == 2);
  CHECK(code_of(later[1]) == 0);
  CHECK(code_of(crossing.moved.send(refresh).at(0)) == 0);
  CHECK(crossing.heard_at(1) == endpoint(away));
}

TEST_CASE("the tickets of an allocation find it wherever it is") {
  Crossing crossing;
  auto& shards = crossing.shards;
  const auto second = ticket_in(crossing.refresh());
  crossing.moved.channel_data(0x4001, "x");
  shards.settle();

  // On to a third shard, with the ticket that the first one made.
  Client further{shards[2], "203.0.114.1:3"};
  REQUIRE(code_of(further.request(Method::refresh)) == 437);
  const auto answer = crossing.refresh_from(further, second);
  CHECK(code_of(answer) == 0);
  further.channel_data(0x4001, "x");
  shards.settle();
  CHECK(shards[2].engine.allocation_count() == 1);
  CHECK(crossing.heard_at(2) == endpoint("203.0.114.1:3"));

  // And home again; what is spent stays so, in every shard.
  CHECK(code_of(crossing.refresh_from(crossing.client, ticket_in(answer))) == 0);
  crossing.client.channel_data(0x4001, "x");
  shards.settle();
  CHECK(crossing.heard_at(0) == endpoint(home));
  CHECK(code_of(crossing.refresh_from(crossing.moved, crossing.ticket)) == 400);
  CHECK(code_of(crossing.refresh_from(further, second)) == 400);
  for (const auto& world : shards.worlds) CHECK(world->closed.empty());
}

TEST_CASE("a Refresh from another shard is refused for the same reasons") {
  Crossing crossing;
  auto& shards = crossing.shards;
  SUBCASE("401 without the password, and the other shard keeps nothing") {
    crossing.moved.password = "wrong";
    CHECK(code_of(crossing.refresh()) == 401);
  }
  SUBCASE("441 for another user") {
    crossing.moved.user = "bob";
    crossing.moved.password = "builder";
    CHECK(code_of(crossing.refresh()) == 441);
  }
  SUBCASE("437 for one that has ended: its own shard says so") {
    shards[0].pass(601s);
    const auto answer = crossing.moved.request(Method::refresh, showing(crossing.ticket));
    CHECK(code_of(answer) == 437);
  }
  SUBCASE("437 from a five-tuple with an allocation, without asking the other shard") {
    crossing.moved.allocate();
    const auto answer = crossing.moved.request(Method::refresh, showing(crossing.ticket));
    CHECK(code_of(answer) == 437);
    CHECK(shards[1].forwarded.empty());
    return;
  }
  SUBCASE("without credentials it is challenged without asking the other shard") {
    const auto answer = crossing.moved.unsigned_request(Method::refresh, showing(crossing.ticket));
    CHECK(code_of(answer) == 401);
    CHECK(shards[1].forwarded.empty());
  }
  SUBCASE("a forged ticket goes nowhere") {
    crossing.ticket.back() ^= std::byte{1};
    const auto answer = crossing.moved.request(Method::refresh, showing(crossing.ticket));
    CHECK(code_of(answer) == 400);
    CHECK(shards[1].forwarded.empty());
  }
  CHECK_FALSE(shards[1].engine.has_allocation(crossing.moved.path));
  CHECK(shards[1].engine.idle());
  CHECK(shards[1].errands.empty());
}

TEST_CASE("a five-tuple that is waited for makes no allocation of its own") {
  Crossing crossing;
  auto& shards = crossing.shards;
  CHECK(code_of(crossing.refresh()) == 0);
  crossing.moved.send(crossing.moved.compose(Method::allocate, requesting_udp()));
  CHECK(code_of(shards.settle().at(0)) == 437);
  CHECK(shards[1].engine.allocation_count() == 0);
}

TEST_CASE("a five-tuple that one shard's client moves to is not another's as well") {
  Crossing crossing;
  auto& shards = crossing.shards;
  CHECK(code_of(crossing.refresh()) == 0);
  Client resident{shards[1], "203.0.113.7:9"};
  const auto answer = resident.request(Method::allocate, asking_for_ticket);
  REQUIRE(code_of(answer) == 0);
  CHECK(code_of(crossing.moved.request(Method::refresh, showing(ticket_in(*answer)))) == 437);
  CHECK(shards[1].engine.consistent());
}

TEST_CASE("an allocation that is made while the news is under way keeps its five-tuple") {
  Crossing crossing;
  auto& shards = crossing.shards;
  crossing.moved.send(crossing.moved.compose(Method::refresh, showing(crossing.ticket)));
  crossing.moved.allocate();
  shards.settle();
  CHECK(crossing.heard_at(0) == endpoint(home));
  crossing.moved.permit(peer);
  CHECK(crossing.moved.send_data(peer, "mine").at(0).from ==
        SocketRef::relay(crossing.moved.relay));
  CHECK(shards[0].engine.allocation_count() == 1);
  CHECK(shards[1].engine.allocation_count() == 1);
}

TEST_CASE("an allocation that ends is not waited for any longer") {
  Crossing crossing;
  auto& shards = crossing.shards;
  CHECK(code_of(crossing.refresh()) == 0);
  SUBCASE("by its client, from the old address") {
    crossing.client.request(Method::refresh,
                            [](auto& writer) { writer.add(attribute::lifetime, 0s); });
  }
  SUBCASE("by its client, from the new address") {
    crossing.moved.send(crossing.moved.compose(
        Method::refresh, [](auto& writer) { writer.add(attribute::lifetime, 0s); }));
  }
  SUBCASE("by its time") { shards[0].pass(601s); }
  SUBCASE("by a third address") {
    Client further{shards[2], "203.0.114.1:3"};
    REQUIRE(code_of(further.request(Method::refresh)) == 437);
    const auto newest = crossing.refresh_from(crossing.moved, crossing.ticket);
    CHECK(code_of(newest) == 400);
    shards[0].pass(601s);
  }
  shards.settle();
  CHECK(shards[0].engine.idle());
  CHECK(shards[1].engine.idle());
  CHECK(crossing.moved.channel_data(0x4001, "x").empty());
  CHECK(shards[1].drops(Drop::no_allocation) == 1);
  CHECK(shards.quota.total() == 0);
}

TEST_CASE("one that has expired and is not cleaned up makes room for its successor") {
  Crossing crossing;
  auto& shards = crossing.shards;
  CHECK(code_of(crossing.refresh()) == 0);
  for (const auto& world : shards.worlds) world->pass_silently(601s);
  const auto sent = crossing.moved.send(crossing.moved.compose(Method::allocate, requesting_udp()));
  CHECK(sent.empty());
  const auto answers = shards.settle();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].from == crossing.moved.path.socket);
}

TEST_CASE("streams that end on the way decide the move as in one shard") {
  SUBCASE("the old one") {
    Crossing crossing{Transport::tcp, Transport::udp};
    CHECK(code_of(crossing.refresh()) == 0);
    crossing.shards[0].client_closed(crossing.client.path);
    crossing.shards.settle();
    CHECK(crossing.shards[1].engine.allocation_count() == 1);
    CHECK(crossing.heard_at(1) == endpoint(away));
  }
  SUBCASE("the new one") {
    Crossing crossing{Transport::udp, Transport::tls};
    CHECK(code_of(crossing.refresh()) == 0);
    crossing.shards[1].client_closed(crossing.moved.path);
    crossing.shards.settle();
    CHECK(crossing.shards[0].engine.allocation_count() == 1);
    CHECK(crossing.shards[1].engine.idle());
    CHECK(crossing.heard_at(0) == endpoint(home));
  }
}

TEST_CASE("an allocation that arrives where its client has made another takes its place") {
  Crossing crossing{Transport::tcp, Transport::udp};
  auto& shards = crossing.shards;
  crossing.moved.send(crossing.moved.compose(Method::refresh, showing(crossing.ticket)));
  shards.deliver(1);
  crossing.moved.allocate();
  shards[0].client_closed(crossing.client.path);
  shards.settle();
  CHECK(shards[0].engine.idle());
  CHECK(shards[1].engine.allocation_count() == 1);
  CHECK(shards[1].closed.size() == 1);
  CHECK(shards.quota.total() == 1);
  CHECK(crossing.heard_at(1) == endpoint(away));
}

TEST_CASE("an allocation that arrives where another only moves to leaves that where it is") {
  Crossing crossing{Transport::tcp, Transport::udp};
  auto& shards = crossing.shards;
  Client resident{shards[1], "203.0.113.7:9"};
  const auto theirs = resident.request(Method::allocate, asking_for_ticket);
  REQUIRE(code_of(theirs) == 0);
  resident.bind(0x4001, peer);
  const auto relay = shards[1].opened.back();

  crossing.moved.send(crossing.moved.compose(Method::refresh, showing(crossing.ticket)));
  shards.deliver(1);
  CHECK(code_of(crossing.moved.request(Method::refresh, showing(ticket_in(*theirs)))) == 0);
  shards[0].client_closed(crossing.client.path);
  shards.settle();
  CHECK(shards[1].engine.allocation_count() == 2);
  CHECK(shards[1].engine.consistent());
  CHECK(crossing.heard_at(1) == endpoint(away));
  CHECK(shards[1].from_peer(relay, endpoint(peer), "x").at(0).to == resident.path.tuple.client);
}

TEST_CASE("a refusal that comes late leaves no shard waiting for anybody") {
  Crossing crossing;
  auto& shards = crossing.shards;
  Client second{shards[0], "203.0.112.9:7"};
  const auto theirs = second.request(Method::allocate, asking_for_ticket);
  REQUIRE(code_of(theirs) == 0);
  // Both Refreshes are on their way, and so is an allocation that the client makes itself.
  crossing.moved.send(crossing.moved.compose(Method::refresh, showing(crossing.ticket)));
  crossing.moved.send(crossing.moved.compose(Method::refresh, showing(ticket_in(*theirs))));
  crossing.moved.allocate();
  const auto letters = std::exchange(shards[1].forwarded, {});
  REQUIRE(letters.size() == 2);

  shards[0].forward(letters[0]);
  shards.deliver(0);  // the first is refused: the path has an allocation
  REQUIRE(shards[1].errands.size() == 1);
  const auto refusal = std::exchange(shards[1].errands, {});
  crossing.moved.request(Method::refresh,
                         [](auto& writer) { writer.add(attribute::lifetime, 0s); });
  crossing.client.request(Method::refresh,
                          [](auto& writer) { writer.add(attribute::lifetime, 0s); });
  shards[0].forward(letters[1]);
  shards.deliver(0);  // the second is waited for
  CHECK(shards[1].engine.has_allocation(crossing.moved.path));
  shards[0].errand(refusal[0]);
  shards.settle();
  CHECK(shards[1].engine.idle());
}

TEST_CASE("a relay whose socket cannot be served ends with its allocation") {
  Crossing crossing;
  auto& shards = crossing.shards;
  crossing.refresh();
  crossing.moved.channel_data(0x4001, "x");
  shards.settle();
  Outbox out;
  shards[1].engine.on_relay_lost(shards[1].opened.back(), out);
  CHECK(shards[1].engine.allocation_count() == 0);
  CHECK(shards.quota.total() == 0);
  CHECK_FALSE(shards.directory.owner({address("198.51.100.1"), 50000}).has_value());
}

TEST_CASE("both relays of a dual allocation cross together") {
  Crossing crossing;
  auto& shards = crossing.shards;
  Client dual{shards[0], "203.0.112.9:8"};
  const auto answer = dual.request(Method::allocate, [](stun::MessageWriter& writer) {
    requesting_udp()(writer);
    writer.add(attribute::additional_address_family, Family::ipv6)
        .add(attribute::mobility_ticket, Bytes{});
  });
  REQUIRE(code_of(answer) == 0);
  dual.permit(peer);
  dual.permit("[2600::1]:1");
  CHECK(code_of(crossing.refresh_from(crossing.moved, ticket_in(*answer))) == 0);
  crossing.moved.send_data(peer, "x");
  shards.settle();
  CHECK(shards[1].engine.allocation_count() == 2);
  CHECK(shards[1].taken_over.size() == 2);
  CHECK(crossing.moved.send_data(peer, "x").size() == 1);
  CHECK(crossing.moved.send_data("[2600::1]:1", "x").size() == 1);
  CHECK(shards.quota.total() == 3);
}

}  // namespace
}  // namespace yuelao::turn::test

// RFC 8656 §5: bandwidth is limited, and what exceeds it is discarded.
#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "protocol/turn/bandwidth.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test::bandwidth_test {
namespace {

constexpr std::string_view peer = "192.0.78.1:1";

TEST_CASE("a bucket gives its rate, and a second's worth at once after a pause") {
  const SteadyTime begin{1000s};
  TokenBucket bucket;
  CHECK(bucket.take(1000, 1000, begin));
  CHECK_FALSE(bucket.take(1, 1000, begin));
  CHECK_FALSE(bucket.take(101, 1000, begin + 100ms));
  CHECK(bucket.take(100, 1000, begin + 100ms));
  // Steps that are each too short for an octet add up.
  auto now = begin + 100ms;
  for (int i = 0; i < 99; ++i) {
    now += 10us;
    CHECK_FALSE(bucket.take(1, 1000, now));
  }
  CHECK(bucket.take(1, 1000, now + 10us));
  // A long pause is no credit.
  CHECK(bucket.take(1000, 1000, begin + 1h));
  CHECK_FALSE(bucket.take(1, 1000, begin + 1h));
  // As fast as any machine is, nothing overflows.
  CHECK(bucket.take(1'000'000'000, 125'000'000'000, begin + 2h));
  CHECK(bucket.take(65'507, unlimited, begin + 2h));
}

TEST_CASE("who has sent too much rests until it would have been its rate") {
  const SteadyTime begin{1000s};
  TokenBucket bucket;
  CHECK(bucket.owe(1000, 1000, begin) == 0s);
  CHECK(bucket.owe(500, 1000, begin) == 500ms);
  CHECK(bucket.owe(0, 1000, begin + 200ms) == 300ms);
  CHECK_FALSE(bucket.take(1, 1000, begin + 500ms));
  CHECK(bucket.take(1, 1000, begin + 501ms));
  CHECK(bucket.owe(5000, 1000, begin + 1h) == 4s);
  CHECK(bucket.owe(1'000'000, unlimited, begin + 1h) == 0s);
  CHECK(bucket.owe(1, 0, begin + 1h) > 0s);
}

TEST_CASE("who wants little gets it, and the others the same of what is left") {
  struct Row {
    std::vector<Demand> demands;
    Bandwidth capacity;
    Bandwidth rate;
  };
  const Row rows[] = {
      {{}, 100, unlimited},
      {{{50}}, 100, unlimited},
      {{{50}, {50}}, 100, unlimited},
      {{{51}, {50}}, 100, 50},
      {{{10}, {1000}, {20}}, 100, 70},
      {{{10}, {1000}, {1000}}, 100, 45},
      {{{1000}, {1000}, {1000}, {1000}}, 100, 25},
      {{{1000}}, 0, 0},
      // Two shards: nine senders of one octet each, and one that wants it all.
      {{{9, 9}, {1000, 1}}, 100, 91},
      {{{900, 9}, {100, 1}}, 100, 10},
  };
  for (const auto& row : rows) {
    auto demands = row.demands;
    CAPTURE(row.capacity);
    CHECK(fair_rate(demands, row.capacity) == row.rate);
  }
}

TEST_CASE("shards divide the server's bandwidth by what their senders want") {
  BandwidthPool pool{3};
  const auto part = [&](ShardNumber shard, const Demand& demand) {
    return pool.part_of(Way::to_peer, shard, demand, 100);
  };
  CHECK(part(0, {30, 1}) == 100);
  CHECK(part(1, {0, 0}) == 70);
  CHECK(part(1, {1000, 1}) == 70);
  CHECK(part(0, {30, 1}) == 70);  // what it may come to want
  CHECK(part(2, {1000, 1}) == 35);
  CHECK(part(1, {1000, 1}) == 35);
  // By senders, and not by shards.
  CHECK(part(2, {5000, 5}) == 70);
  CHECK(part(1, {1000, 1}) == 14);
  CHECK(pool.part_of(Way::to_client, 1, {1000, 1}, 100) == 100);
}

// A client with a channel to a peer, and a relay.
struct Talker {
  Talker(World& around, std::string_view address) : world{around}, client{around, address} {
    client.allocate();
    client.bind(0x4000, peer);
  }

  // Of so many datagrams of 100 octets each way, how many get through.
  unsigned say(unsigned datagrams) {
    unsigned through = 0;
    for (unsigned i = 0; i < datagrams; ++i) {
      through += client.channel_data(0x4000, std::string(100, 'x')).empty() ? 0 : 1;
    }
    return through;
  }
  unsigned hear(unsigned datagrams) {
    unsigned through = 0;
    for (unsigned i = 0; i < datagrams; ++i) {
      const auto sent = world.from_peer(client.relay, endpoint(peer), std::string(100, 'x'));
      through += sent.empty() ? 0 : 1;
    }
    return through;
  }

  World& world;
  Client client;
};

Options limited(Bandwidth server, Bandwidth allocation) {
  auto options = default_options();
  options.limits.bandwidth = server;
  options.limits.bandwidth_per_allocation = allocation;
  return options;
}

TEST_CASE("an allocation relays no more than its bandwidth each way") {  // RFC 8656 §5
  World world{limited(unlimited, 1000)};
  Talker one{world, "203.0.112.9:1"};
  Talker other{world, "203.0.112.9:2"};
  CHECK(one.say(30) == 10);
  CHECK(world.drops(Drop::bandwidth) == 20);
  CHECK(one.hear(30) == 10);
  CHECK(other.say(10) == 10);
  CHECK(world.engine.counters().client_to_peer.packets == 20);
  world.pass(2s);
  CHECK(one.say(30) == 10);
  CHECK(code_of(one.client.request(Method::refresh)) == 0);
}

TEST_CASE("without a limit there is none") {
  World world;
  Talker one{world, "203.0.112.9:1"};
  CHECK(one.say(3000) == 3000);
}

TEST_CASE("a server that is full serves whoever sends little, and halves the rest") {
  World world{limited(10'000, unlimited)};
  Talker modest{world, "203.0.112.9:1"};
  Talker greedy{world, "203.0.112.9:2"};
  Talker greedier{world, "203.0.112.9:3"};
  // Until the first second has passed nobody knows who wants how much.
  greedy.say(200);
  greedier.say(400);
  modest.say(20);
  for (int second = 0; second < 3; ++second) {
    world.pass(1s);
    CHECK(greedy.say(200) == 40);
    CHECK(greedier.say(400) == 40);
    CHECK(modest.say(20) == 20);
  }
  // Who is alone has all of it.
  world.pass(1s);
  CHECK(greedy.say(1) == 1);
  world.pass(1s);
  CHECK(greedy.say(200) == 100);
}

TEST_CASE("strangers get so much by UDP, each prefix for itself") {
  auto options = default_options();
  options.limits.strangers = 1000;
  World world{options};
  const auto answered = [&](std::string_view from, Transport transport = Transport::udp) {
    Client client{world, from, transport};
    unsigned octets = 0;
    for (int i = 0; i < 200; ++i) {
      const auto answer = client.unsigned_request(Method::allocate, requesting_udp());
      octets += answer ? static_cast<unsigned>(answer->bytes.size()) : 0;
    }
    return octets;
  };
  const auto first = answered("203.0.112.9:1");
  CHECK(first > 3900);
  CHECK(first <= 4000);
  CHECK(answered("203.0.112.9:2") < 100);  // another port is nobody else
  CHECK(answered("203.0.112.10:1") == first);
  CHECK(answered("[2600:1:2:3::1]:1") > 3900);
  CHECK(answered("[2600:1:2:3:4::1]:1") < 100);
  CHECK(answered("[2600:1:2:4::1]:1") > 3900);
  CHECK(world.drops(Drop::response_budget) > 900);
  // Whoever connects has shown where it is.
  CHECK(answered("203.0.112.9:3", Transport::tcp) > 10'000);

  // A second later there is a second's worth, and a client with a password needs one answer.
  world.pass_silently(1s);
  Client client{world, "203.0.112.9:4"};
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 0);
  for (int i = 0; i < 200; ++i) CHECK(code_of(client.request(Method::refresh)) == 0);
}

TEST_CASE("new limits hold for allocations that are up") {
  World world;
  Talker one{world, "203.0.112.9:1"};
  CHECK(one.say(30) == 30);
  world.reconfigure(limited(unlimited, 1000));
  CHECK(one.say(30) == 10);
  world.reconfigure(default_options());
  CHECK(one.say(30) == 30);
}

TEST_CASE("a limit of the server's that is gone leaves nothing behind") {
  World world{limited(1000, unlimited)};
  Talker one{world, "203.0.112.9:1"};
  Talker other{world, "203.0.112.9:2"};
  one.say(50);
  other.say(50);
  world.pass(1s);
  CHECK(one.say(50) == 5);
  world.reconfigure(limited(unlimited, 3000));
  world.pass(1s);
  CHECK(one.say(50) == 30);
}

}  // namespace
}  // namespace yuelao::turn::test::bandwidth_test

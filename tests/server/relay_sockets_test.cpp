#include "server/relay_sockets.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "server/random.hpp"
#include "tests/server/own_ports.hpp"
#include "tests/server/tested_poller.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::relay_sockets_test {
namespace {

using turn::RelayFailure;

const IpAddress loopback = IpAddress::v4({127, 0, 0, 1});

struct World {
  std::uint16_t first = test::own_port(8);
  test::TestedPoller poller;
  SystemRandom random;
  SharedReservations reservations{2};
  RelaySockets relays{{{.advertised = loopback, .bound = loopback}},
                      {first, static_cast<std::uint16_t>(first + 7)},
                      {*poller, random, reservations, 0}};
};

TEST_CASE("every port of the range is given out once, then there is no port") {
  World world;
  std::set<std::uint16_t> ports;
  for (std::uint32_t i = 0; i < 8; ++i) {
    const auto opened = world.relays.open({i, 0}, Family::ipv4);
    REQUIRE(opened.has_value());
    CHECK(opened->address == loopback);
    ports.insert(opened->port);
  }
  CHECK(ports.size() == 8);
  CHECK(*ports.begin() == world.first);
  CHECK(*ports.rbegin() == world.first + 7);

  const auto refused = world.relays.open({8, 0}, Family::ipv4);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == RelayFailure::no_port);

  world.relays.close({3, 0});
  CHECK(world.relays.open({8, 0}, Family::ipv4).has_value());
}

TEST_CASE("ports that other programs hold are passed over and stay in the range") {
  World world;
  std::vector<test::UdpWire> others;
  others.reserve(7);
  for (std::uint16_t i = 0; i < 7; ++i) {
    others.emplace_back(Endpoint{loopback, static_cast<std::uint16_t>(world.first + i)});
  }
  const auto opened = world.relays.open({0, 0}, Family::ipv4);
  REQUIRE(opened.has_value());
  CHECK(opened->port == world.first + 7);
  const auto refused = world.relays.open({1, 0}, Family::ipv4);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == RelayFailure::no_port);

  others.clear();
  for (std::uint32_t i = 1; i < 8; ++i) CHECK(world.relays.open({i, 0}, Family::ipv4).has_value());
}

TEST_CASE("without descriptors a relay is refused and its port is not lost") {
  World world;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto refused = world.relays.open({0, 0}, Family::ipv4);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);

  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == RelayFailure::no_descriptor);
  for (std::uint32_t i = 0; i < 8; ++i) CHECK(world.relays.open({i, 0}, Family::ipv4).has_value());
}

TEST_CASE("a family without an address has no port") {
  World world;
  const auto refused = world.relays.open({0, 0}, Family::ipv6);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == RelayFailure::no_port);
}

TEST_CASE("a number's former owner does not find its successor") {
  World world;
  REQUIRE(world.relays.open({0, 1}, Family::ipv4).has_value());
  world.relays.close({0, 1});
  REQUIRE(world.relays.open({0, 2}, Family::ipv4).has_value());
  CHECK(world.relays.find({0, 1}) == nullptr);
  world.relays.close({0, 1});
  CHECK(world.relays.find({0, 2}) != nullptr);
}

TEST_CASE("an open relay is polled under its number") {
  World world;
  const auto opened = world.relays.open({5, 77}, Family::ipv4);
  REQUIRE(opened.has_value());
  CHECK(world.poller->wait({}).empty());
  test::UdpWire{loopback, *opened}.send(as_bytes("hello"));
  const auto ready = world.poller->wait({});  // loopback delivers before sendto(2) returns
  REQUIRE(ready.size() == 1);
  CHECK(ready[0].ref == turn::SocketRef::relay({5, 77}));
  world.relays.close({5, 77});
  CHECK(world.poller->wait({}).empty());
}

TEST_CASE("relays follow the machine's addresses, and those that are open stay open") {
  World world;
  const IpAddress other = IpAddress::v4({127, 0, 0, 2});
  const auto old = world.relays.open({0, 0}, Family::ipv4);
  REQUIRE(old.has_value());
  for (std::uint32_t round = 1; round < 20; ++round) {
    // An address a day for years costs no more memory than the few that are in use.
    const IpAddress fresh = IpAddress::v4({127, 0, 1, static_cast<std::uint8_t>(round)});
    world.relays.follow({{.advertised = fresh, .bound = fresh}});
    const auto opened = world.relays.open({round, 0}, Family::ipv4);
    REQUIRE(opened.has_value());
    CHECK(opened->address == fresh);
    world.relays.close({round, 0});
  }
  world.relays.follow({{.advertised = other, .bound = other}, {loopback, loopback}});
  for (std::uint32_t i = 1; i < 16; ++i) CHECK(world.relays.open({i, 0}, Family::ipv4));
  // All eight ports of both are in use, the very first relay's among them.
  CHECK_FALSE(world.relays.open({16, 0}, Family::ipv4));
  CHECK(world.relays.find({0, 0})->local() == *old);
  world.relays.close({0, 0});
  CHECK(world.relays.open({16, 0}, Family::ipv4) == *old);
}

turn::ReservationToken token(std::uint8_t number) { return {std::byte{number}}; }

TEST_CASE("a pair of ports is opened as one relay and one that is held") {  // RFC 8656 §7.2
  World world;
  const auto opened = world.relays.open_pair({0, 0}, Family::ipv4, token(1));
  REQUIRE(opened.has_value());
  CHECK(opened->port % 2 == 0);
  const Endpoint next{loopback, static_cast<std::uint16_t>(opened->port + 1)};
  // What comes before anybody has it waits for nobody, and wakes nobody.
  test::UdpWire peer{loopback, next};
  peer.send(as_bytes("too early"));
  CHECK(world.poller->wait({}).empty());

  REQUIRE(world.relays.open_reserved({1, 5}, token(1)) == next);
  CHECK(world.poller->wait({}).empty());
  peer.send(as_bytes("in time"));
  const auto events = world.poller->wait({});
  REQUIRE(events.size() == 1);
  UdpSocket& relay = *world.relays.find({1, 5});
  DatagramPool pool;
  const auto received =
      events[0].message != nullptr ? relay.read(*events[0].message) : relay.receive(pool, 8)[0];
  CHECK(as_text(received.payload) == "in time");
  CHECK(world.relays.open_reserved({2, 0}, token(1)) == std::unexpected{RelayFailure::no_port});
}

TEST_CASE("pairs are found while there are any, and what they leave is for others") {
  World world;
  const std::uint8_t pairs = world.first % 2 == 0 ? 4 : 3;
  for (std::uint8_t i = 0; i < pairs; ++i) {
    CHECK(world.relays.open_pair({i, 0}, Family::ipv4, token(i)).has_value());
  }
  CHECK_FALSE(world.relays.open_pair({9, 0}, Family::ipv4, token(9)).has_value());
  std::uint32_t left = 0;
  while (world.relays.open({20 + left, 0}, Family::ipv4)) ++left;
  CHECK(left == 8U - 2U * pairs);
  // Nobody comes for the ports that are held: they are free again.
  for (std::uint8_t i = 0; i < pairs; ++i) {
    world.relays.close({i, 0});
    world.relays.close_reserved(token(i));
    world.relays.close_reserved(token(i));  // more often than once does nothing
    CHECK(world.relays.open_pair({i, 1}, Family::ipv4, token(i)).has_value());
  }
}

TEST_CASE("a pair needs both ports, and gives up neither when another program has one") {
  World world;
  std::vector<test::UdpWire> others;
  others.reserve(4);
  for (std::uint16_t i = 0; i < 8; i = static_cast<std::uint16_t>(i + 2)) {
    others.emplace_back(Endpoint{loopback, static_cast<std::uint16_t>(world.first + i)});
  }
  CHECK(world.relays.open_pair({0, 0}, Family::ipv4, token(1)) ==
        std::unexpected{RelayFailure::no_port});
  others.clear();
  for (std::uint32_t i = 0; i < 8; ++i) CHECK(world.relays.open({i, 0}, Family::ipv4).has_value());
}

TEST_CASE("a reserved port serves in another shard and comes home when it is closed") {
  World world;
  test::TestedPoller others_poller;
  RelaySockets other{{{.advertised = loopback, .bound = loopback}},
                     {40'000, 40'001},
                     {*others_poller, world.random, world.reservations, 1}};
  for (int round = 0; round < 20; ++round) {
    const auto opened = world.relays.open_pair({0, 0}, Family::ipv4, token(1));
    REQUIRE(opened.has_value());
    const auto reserved = other.open_reserved({0, 0}, token(1));
    REQUIRE(reserved.has_value());
    CHECK(reserved->port == opened->port + 1);
    other.close({0, 0});
    world.relays.close({0, 0});
  }
  for (std::uint32_t i = 0; i < 8; ++i) CHECK(world.relays.open({i, 0}, Family::ipv4).has_value());
  CHECK(world.reservations.come_home(1).empty());
}

TEST_CASE("a reserved port of an address that is gone is forgotten in peace") {
  World world;
  REQUIRE(world.relays.open_pair({0, 0}, Family::ipv4, token(1)).has_value());
  const IpAddress other = IpAddress::v4({127, 0, 0, 2});
  world.relays.follow({{.advertised = other, .bound = other}});
  world.relays.close({0, 0});
  REQUIRE(world.relays.open_reserved({1, 0}, token(1)).has_value());
  world.relays.close({1, 0});
  world.relays.follow({{.advertised = loopback, .bound = loopback}});
  for (std::uint32_t i = 0; i < 8; ++i) CHECK(world.relays.open({i, 0}, Family::ipv4).has_value());
}

TEST_CASE("shards' slices cover the range without sharing a port") {
  struct Row {
    PortRange range;
    unsigned shards;
  };
  constexpr Row rows[] = {
      {{49152, 65535}, 1}, {{49152, 65535}, 3}, {{100, 104}, 5}, {{65530, 65535}, 4}};
  for (const auto& [range, shards] : rows) {
    CAPTURE(shards);
    std::uint32_t next = range.first;
    for (unsigned i = 0; i < shards; ++i) {
      const auto slice = slice_of(range, i, shards);
      CHECK(slice.first == next);
      CHECK(slice.last >= slice.first);
      next = std::uint32_t{slice.last} + 1;
    }
    CHECK(next == std::uint32_t{range.last} + 1);
  }
}

TEST_CASE("which port comes next cannot be told from the last one") {  // RFC 8656 §7.2, RFC 6056
  SystemRandom random;
  RelayPorts ports{{49152, 65535}, random};
  int neighbours = 0;
  auto last = ports.take().value();
  for (int i = 0; i < 100; ++i) {
    const auto next = ports.take().value();
    if (next == last + 1 || next == last - 1) ++neighbours;
    last = next;
  }
  CHECK(neighbours < 5);  // one in eight thousand is, by chance
}

}  // namespace
TEST_CASE("an even port is found while there is one, and never an odd one instead") {
  SystemRandom random;
  RelayPorts ports{{50001, 50008}, random};
  for (int i = 0; i < 4; ++i) CHECK(ports.take(turn::Parity::even).value() % 2 == 0);
  CHECK_FALSE(ports.take(turn::Parity::even));
  CHECK(ports.free() == 4);
  CHECK(ports.take().value() % 2 == 1);
  ports.give_back(50002);
  CHECK(ports.take(turn::Parity::even) == 50002);
}

TEST_CASE("a million ports of every kind, taken and given back, leave the range as it was") {
  constexpr PortRange range{50001, 50064};
  SystemRandom random;
  RelayPorts ports{range, random};
  // The same run each time.
  std::minstd_rand dice{7};  // NOLINT(cert-msc51-cpp,bugprone-random-generator-seed)
  std::vector<std::uint16_t> used;
  std::size_t taken = 0;
  std::size_t refused = 0;
  bool sound = true;
  while (taken < 1'000'000) {
    const auto throwing = dice() % 5;
    const auto port = throwing == 0   ? ports.take()
                      : throwing == 1 ? ports.take(turn::Parity::even)
                      : throwing == 2 ? ports.take_pair()
                                      : std::nullopt;
    if (port) {
      sound &= std::ranges::find(used, *port) == used.end();
      used.push_back(*port);
      if (throwing == 2) used.push_back(static_cast<std::uint16_t>(*port + 1));
      taken += throwing == 2 ? 2 : 1;
    } else if (throwing < 3) {
      ++refused;
    } else if (!used.empty()) {
      std::swap(used[dice() % used.size()], used.back());
      ports.give_back(used.back());
      used.pop_back();
    }
    sound &= ports.free() + used.size() == range.size();
  }
  CHECK(sound);
  CHECK(refused > 0);
  for (const auto port : used) ports.give_back(port);
  std::set<std::uint16_t> all;
  while (const auto port = ports.take()) all.insert(*port);
  CHECK(all.size() == range.size());
  CHECK(*all.begin() == range.first);
  CHECK(*all.rbegin() == range.last);
}

}  // namespace yuelao::server::relay_sockets_test

#include "server/command/address_book.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "config/load.hpp"

namespace yuelao::server::address_book_test {
namespace {

using Addresses = std::vector<IpAddress>;

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

// A network around one machine, that changes as a test says.
struct World {
  Addresses interfaces{address("127.0.0.1"), address("10.0.0.5")};
  std::optional<IpAddress> source = address("10.0.0.5");
  std::optional<IpAddress> name = address("203.0.113.7");
  std::optional<IpAddress> mapped = address("203.0.113.5");
  int asked = 0;
  AddressBook book{[this] { return machine(); }};

  Machine machine() {
    Machine machine;
    machine.interfaces = interfaces;
    machine.default_ipv4 = source;
    machine.can_bind = [this](const IpAddress& one) {
      return std::ranges::find(interfaces, one) != interfaces.end();
    };
    machine.look_up = [this](const std::string&) { return name ? Addresses{*name} : Addresses{}; };
    machine.seen_as = [this](const config::StunServer&, const IpAddress&) {
      ++asked;
      return mapped;
    };
    return machine;
  }
};

config::Config by_stun() {
  return config::parse("external_address: {stun: stun.example.org}", "test.yaml").value();
}
config::Config by_name() {
  return config::parse("external_address: turn.example.org", "test.yaml").value();
}

std::string advertised(const Location& location) {
  return location.relay_addresses.empty() ? "nothing"
                                          : location.relay_addresses.front().advertised.to_string();
}

}  // namespace

TEST_CASE("what a STUN server says is followed, and its silence changes nothing") {
  World world;
  CHECK(advertised(world.book.locate(by_stun())) == "203.0.113.5");
  world.mapped = address("203.0.113.9");
  const auto moved = world.book.locate(by_stun());
  CHECK(advertised(moved) == "203.0.113.9");
  CHECK(moved.failures == 0);
  CHECK(std::ranges::find(moved.own_addresses, address("203.0.113.9")) !=
        moved.own_addresses.end());

  world.mapped.reset();
  const auto silent = world.book.locate(by_stun());
  CHECK(advertised(silent) == "203.0.113.9");
  CHECK(silent.failures == 1);
  REQUIRE(silent.warnings.size() == 1);
  CHECK(silent.warnings[0].find("stun.example.org:3478 does not answer over IPv4") !=
        std::string::npos);
  // One warning, not one a minute.
  const auto still = world.book.locate(by_stun());
  CHECK(still.failures == 1);
  CHECK(still.warnings.empty());

  world.mapped = address("203.0.113.9");
  CHECK(world.book.locate(by_stun()).failures == 0);
  world.mapped.reset();
  CHECK(world.book.locate(by_stun()).warnings.size() == 1);
}

TEST_CASE("a STUN server that is silent from the start leaves the interface's address") {
  World world;
  world.mapped.reset();
  auto config = by_stun();
  REQUIRE(world.book.resolve(config));
  CHECK(config.turn.relay_addresses.front().advertised == address("10.0.0.5"));
  CHECK(world.book.news().size() == 1);
  world.mapped = address("203.0.113.5");
  CHECK(advertised(world.book.locate(config)) == "203.0.113.5");
}

TEST_CASE("who is silent to one address is not waited for at the next") {
  World world;
  world.mapped.reset();
  world.interfaces.push_back(address("10.0.0.6"));
  auto config = by_stun();
  config.relay.addresses = {address("10.0.0.5"), address("10.0.0.6")};
  REQUIRE(world.book.resolve(config));
  CHECK(world.asked == 1);
}

TEST_CASE("a name that cannot be looked up any more keeps its last address") {
  World world;
  CHECK(advertised(world.book.locate(by_name())) == "203.0.113.7");
  world.name.reset();
  const auto location = world.book.locate(by_name());
  CHECK(advertised(location) == "203.0.113.7");
  CHECK(location.warnings.size() == 1);
}

TEST_CASE("a machine that lost its addresses stays where it was, and says so once") {
  World world;
  REQUIRE(advertised(world.book.locate({})) == "10.0.0.5");
  world.interfaces = {address("127.0.0.1")};
  world.source.reset();
  const auto lost = world.book.locate_if_moved({});
  REQUIRE(lost);
  CHECK(advertised(*lost) == "nothing");
  CHECK(lost->failures == 1);
  CHECK(lost->warnings.size() == 1);
  CHECK(world.book.locate({}).warnings.empty());
}

TEST_CASE("nobody is asked when the kernel tells of what changes nothing") {
  World world;
  REQUIRE(advertised(world.book.locate(by_stun())) == "203.0.113.5");
  CHECK_FALSE(world.book.locate_if_moved(by_stun()));
  CHECK(world.asked == 1);
  world.interfaces.push_back(address("10.0.0.6"));
  world.source = address("10.0.0.6");
  const auto moved = world.book.locate_if_moved(by_stun());
  REQUIRE(moved);
  CHECK(moved->relay_addresses.front().bound == address("10.0.0.6"));
}

}  // namespace yuelao::server::address_book_test

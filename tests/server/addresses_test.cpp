#include "server/command/addresses.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "config/load.hpp"

namespace yuelao::server::addresses_test {
namespace {

using Addresses = std::vector<IpAddress>;

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

// A machine behind a NAT with IPv4 and IPv6, and a second IPv4 address.
Machine machine() {
  const Addresses own{address("127.0.0.1"), address("10.0.0.5"), address("10.0.0.6"),
                      address("::1"),       address("fe80::1"),  address("2001:db8::5")};
  Machine machine;
  machine.interfaces = own;
  machine.default_ipv4 = address("10.0.0.5");
  machine.default_ipv6 = address("2001:db8::5");
  machine.can_bind = [own](const IpAddress& one) {
    return std::ranges::find(own, one) != own.end();
  };
  machine.look_up = [](const std::string& host) {
    if (host == "turn.example.org")
      return Addresses{address("2001:db8::77"), address("203.0.113.7")};
    if (host == "own.example.org") return Addresses{address("10.0.0.6")};
    return Addresses{};
  };
  machine.seen_as = [](const config::StunServer& server, const IpAddress& from) {
    if (server.host != "stun.example.org" || from.family() == Family::ipv6) {
      return std::optional<IpAddress>{};
    }
    return std::optional{from == address("10.0.0.6") ? address("203.0.113.6")
                                                     : address("203.0.113.5")};
  };
  return machine;
}

config::Config config(std::string_view text) {
  auto read = config::parse(text, "test.yaml");
  REQUIRE_MESSAGE(read, (read ? "" : read.error().to_string()));
  return std::move(*read);
}

// "advertised/bound advertised/bound", or the error.
std::string resolved(std::string_view text, const Machine& on = machine()) {
  auto read = config(text);
  if (const auto done = resolve_addresses(read, on); !done) return done.error();
  std::string result;
  for (const auto& relay : read.turn.relay_addresses) {
    result +=
        (result.empty() ? "" : " ") + relay.advertised.to_string() + "/" + relay.bound.to_string();
  }
  return result;
}

}  // namespace

TEST_CASE("relays are opened where the configuration or the default routes say") {
  struct Row {
    std::string_view what, text, relays;
  };
  constexpr Row rows[] = {
      {"nothing said", "", "10.0.0.5/10.0.0.5 2001:db8::5/2001:db8::5"},
      {"named", "relay: {addresses: 10.0.0.6}", "10.0.0.6/10.0.0.6"},
      {"loopback, in a laboratory", "relay: {addresses: 127.0.0.1}", "127.0.0.1/127.0.0.1"},
      {"a public address", "external_address: 203.0.113.5",
       "203.0.113.5/10.0.0.5 2001:db8::5/2001:db8::5"},
      {"a public address for an own one", "external_address: 203.0.113.5/10.0.0.6",
       "2001:db8::5/2001:db8::5 203.0.113.5/10.0.0.6"},
      {"both families", "external_address: [2001:db8::99, 203.0.113.5]",
       "203.0.113.5/10.0.0.5 2001:db8::99/2001:db8::5"},
      {"several, in order",
       "external_address: [203.0.113.5, 203.0.113.6]\nrelay: {addresses: [10.0.0.6, 10.0.0.5]}",
       "203.0.113.5/10.0.0.6 203.0.113.6/10.0.0.5"},
      {"several, each with its own",
       "external_address: [203.0.113.5/10.0.0.5, 203.0.113.6/10.0.0.6]",
       "2001:db8::5/2001:db8::5 203.0.113.5/10.0.0.5 203.0.113.6/10.0.0.6"},
      {"a host name", "external_address: turn.example.org",
       "203.0.113.7/10.0.0.5 2001:db8::77/2001:db8::5"},
      {"a host name with its own address", "external_address: turn.example.org/10.0.0.6",
       "2001:db8::5/2001:db8::5 203.0.113.7/10.0.0.6"},
      {"a host name of this very machine", "external_address: own.example.org",
       "2001:db8::5/2001:db8::5 10.0.0.6/10.0.0.6"},
      {"what a STUN server says, where it says something",
       "external_address: {stun: stun.example.org}",
       "203.0.113.5/10.0.0.5 2001:db8::5/2001:db8::5"},
      {"of each address",
       "external_address: {stun: stun.example.org}\nrelay: {addresses: [10.0.0.5, 10.0.0.6]}",
       "203.0.113.5/10.0.0.5 203.0.113.6/10.0.0.6"},
      {"a STUN server for what is not said",
       "external_address: [{stun: stun.example.org}, 203.0.113.77/10.0.0.6]\n"
       "relay: {addresses: [10.0.0.5, 10.0.0.6]}",
       "203.0.113.5/10.0.0.5 203.0.113.77/10.0.0.6"},
      {"a second STUN server for a silent one",
       "external_address: [{stun: silent.example.org}, {stun: stun.example.org}]",
       "203.0.113.5/10.0.0.5 2001:db8::5/2001:db8::5"},
      {"a silent STUN server", "external_address: {stun: silent.example.org}",
       "10.0.0.5/10.0.0.5 2001:db8::5/2001:db8::5"},
      {"a host name with a family this machine lacks",
       "external_address: turn.example.org\nrelay: {addresses: 10.0.0.5}", "203.0.113.7/10.0.0.5"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    CHECK(resolved(row.text) == row.relays);
  }
}

TEST_CASE("without a default route an interface's address serves, but not loopback or link-local") {
  auto alone = machine();
  alone.default_ipv4.reset();
  alone.default_ipv6.reset();
  CHECK(resolved("", alone) == "10.0.0.5/10.0.0.5 2001:db8::5/2001:db8::5");
  alone.interfaces = {address("127.0.0.1"), address("169.254.1.1"), address("fe80::1"),
                      address("::1"), address("10.0.0.6")};
  CHECK(resolved("", alone) == "10.0.0.6/10.0.0.6");
}

TEST_CASE("what cannot be resolved is one sentence with the fix") {
  CHECK(resolved("external_address: none.example.org").find("check the name") != std::string::npos);
  CHECK(resolved("relay: {addresses: 10.0.0.9}").find("10.0.0.9, which is not this machine's") !=
        std::string::npos);
  CHECK(resolved("external_address: 203.0.113.5/10.0.0.9").find("10.0.0.9, which is not") !=
        std::string::npos);
  CHECK(resolved("external_address: [203.0.113.5, 203.0.113.6]").find("203.0.113.6/OWN-ADDRESS") !=
        std::string::npos);
  CHECK(resolved("external_address: 2001:db8::99\nrelay: {addresses: 10.0.0.5}")
            .find("2001:db8::99/OWN-ADDRESS") != std::string::npos);
  auto offline = machine();
  offline.interfaces = {address("127.0.0.1"), address("::1")};
  offline.default_ipv4.reset();
  offline.default_ipv6.reset();
  CHECK(resolved("", offline).find("`relay.addresses`") != std::string::npos);
}

TEST_CASE("own addresses are the interfaces' and the external ones, each once") {
  auto read = config("external_address: [203.0.113.5, 2001:db8::5]");
  REQUIRE(resolve_addresses(read, machine()));
  Addresses expected = machine().interfaces;
  expected.push_back(address("203.0.113.5"));
  std::ranges::sort(expected);
  CHECK(read.turn.peers.own_addresses == expected);
}

TEST_CASE("a private address without an external one is worth a warning") {
  const auto warnings = [](std::string_view text) {
    auto read = config(text);
    REQUIRE(resolve_addresses(read, machine()));
    return address_warnings(read);
  };
  REQUIRE(warnings("").size() == 1);
  CHECK(warnings("")[0].find("10.0.0.5") != std::string::npos);
  CHECK(warnings("external_address: 203.0.113.5").empty());
}

TEST_CASE("this machine can bind its own addresses and not a documentation one") {
  const auto here = this_machine();
  CHECK(here.can_bind(address("127.0.0.1")));
  CHECK_FALSE(here.can_bind(address("192.0.2.1")));
  CHECK(std::ranges::find(here.interfaces, address("127.0.0.1")) != here.interfaces.end());
  const auto looked_up = here.look_up("127.0.0.2");
  CHECK(std::ranges::find(looked_up, address("127.0.0.2")) != looked_up.end());
}

}  // namespace yuelao::server::addresses_test

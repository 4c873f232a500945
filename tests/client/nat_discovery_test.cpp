// RFC 5780 §4: what a client concludes, against simulated NATs of every kind of RFC 4787.

#include "protocol/client/nat_discovery.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace yuelao::client::nat_discovery_test {
namespace {

using Obstacle = NatDiscovery::Obstacle;
using Reason = Failure::Reason;

Endpoint endpoint(std::string_view text) { return Endpoint::parse(text).value(); }

const Endpoint local = endpoint("10.0.0.2:40000");
const Endpoint server = endpoint("198.51.100.1:3478");
const Endpoint other = endpoint("198.51.100.2:3479");
const IpAddress outside = IpAddress::parse("203.0.113.9").value();

// The way between the client and a server at two addresses with two ports.
struct Path {
  bool translated = true;
  Dependence mapping = Dependence::none;
  Dependence filtering = Dependence::none;
  bool other_answers = true;  // the server, at its other address
  bool changes = true;        // the server, as CHANGE-REQUEST says
  std::vector<Endpoint> sent_to{};
  std::vector<Endpoint> mappings{};  // what the NAT keeps apart, in the order it came up

  NatOutcome ask(const NatTest& test) {
    sent_to.push_back(test.to);
    const auto mapped = map(test.to);
    Endpoint from = test.to;
    if (changes && test.change.change_ip) from.address = opposite(server, from).address;
    if (changes && test.change.change_port) from.port = opposite(server, from).port;
    const bool alive = other_answers || from.address == server.address;
    if (!alive || !lets_in(from)) return std::unexpected{Reason::silent};
    Granted granted;
    granted.mapped = mapped;
    granted.other = opposite(server, test.to);
    return NatAnswer{granted, from};
  }

  static Endpoint opposite(const Endpoint& one, const Endpoint& at) {
    return {at.address == one.address ? other.address : one.address,
            at.port == one.port ? other.port : one.port};
  }
  Endpoint map(const Endpoint& to) {
    if (!translated) return local;
    Endpoint key = to;
    if (mapping != Dependence::address_and_port) key.port = 0;
    if (mapping == Dependence::none) key.address = {};
    auto known = std::ranges::find(mappings, key);
    if (known == mappings.end()) known = mappings.insert(known, key);
    const auto index = known - mappings.begin();
    return {outside, static_cast<std::uint16_t>(50000 + 7 * index)};
  }
  bool lets_in(const Endpoint& from) const {
    return filtering == Dependence::none || std::ranges::any_of(sent_to, [&](const Endpoint& to) {
             return to.address == from.address &&
                    (filtering == Dependence::address || to.port == from.port);
           });
  }
};

NatDiscovery discover(Path& path) {
  NatDiscovery discovery{local, server};
  for (int tests = 0; const auto test = discovery.next(); ++tests) {
    REQUIRE(tests < 5);  // §4.3 and §4.4: three each, and test I is the same
    discovery.on_outcome(path.ask(*test));
  }
  return discovery;
}

constexpr std::array kinds{Dependence::none, Dependence::address, Dependence::address_and_port};

}  // namespace

TEST_CASE("every kind of NAT is told from every other") {  // RFC 5780 §4.3, §4.4
  for (const auto mapping : kinds) {
    for (const auto filtering : kinds) {
      CAPTURE(mapping);
      CAPTURE(filtering);
      Path path{.mapping = mapping, .filtering = filtering};
      const auto found = discover(path);
      CHECK(found.behavior().translated);
      CHECK(found.behavior().mapping == mapping);
      CHECK(found.behavior().filtering == filtering);
      CHECK_FALSE(found.obstacle());
      CHECK(found.other() == other);
    }
  }
}

TEST_CASE(
    "without a NAT mapping is endpoint-independent, and a firewall still filters") {  // RFC 5780
                                                                                      // §4.3
  for (const auto filtering : kinds) {
    Path path{.translated = false, .filtering = filtering};
    const auto found = discover(path);
    CHECK_FALSE(found.behavior().translated);
    CHECK(found.behavior().mapping == Dependence::none);
    CHECK(found.behavior().filtering == filtering);
    CHECK_FALSE(found.obstacle());
  }
}

TEST_CASE("nothing goes to the other address before filtering is known") {  // RFC 5780 §3.2
  Path path{.filtering = Dependence::address_and_port};
  discover(path);
  REQUIRE(path.sent_to.size() == 4);
  for (const std::size_t i : {0U, 1U, 2U}) CHECK(path.sent_to[i] == server);
  // Test II of §4.3: the alternate address, but primary port
  CHECK(path.sent_to[3] == Endpoint{other.address, server.port});
}

TEST_CASE("a server whose other address is silent is not taken for a filter") {
  for (const auto mapping : kinds) {
    Path path{.mapping = mapping, .other_answers = false};
    const auto found = discover(path);
    CHECK(found.obstacle() == Obstacle::other_silent);
    CHECK(found.behavior().translated);
    CHECK(found.behavior().mapping == Dependence::unknown);
    CHECK(found.behavior().filtering == Dependence::unknown);
  }
}

TEST_CASE("a server that answers from where it was asked says nothing of filtering") {
  Path path{.filtering = Dependence::address_and_port, .changes = false};
  const auto found = discover(path);
  CHECK(found.obstacle() == Obstacle::unchanged);
  CHECK(found.behavior().filtering == Dependence::unknown);
  CHECK(found.behavior().mapping == Dependence::none);
}

TEST_CASE("a refused CHANGE-REQUEST leaves mapping to be found") {  // RFC 5780 §5: 420
  NatDiscovery discovery{local, server};
  Path path{.mapping = Dependence::address};
  while (const auto test = discovery.next()) {
    const bool change = test->change != stun::ChangeRequest{};
    discovery.on_outcome(change ? NatOutcome{std::unexpected{Reason::refused}} : path.ask(*test));
  }
  CHECK(discovery.obstacle() == Obstacle::unchanged);
  CHECK(discovery.behavior().mapping == Dependence::address);
  CHECK(discovery.behavior().filtering == Dependence::unknown);
}

TEST_CASE("without a second address and port nothing more is asked") {
  struct Row {
    std::string_view what;
    std::optional<Endpoint> named;
    Obstacle obstacle;
  };
  const Row rows[] = {
      {"none", std::nullopt, Obstacle::not_offered},  // RFC 5780 §4.3
      {"the same address", endpoint("198.51.100.1:3479"), Obstacle::useless},
      {"the same port", endpoint("198.51.100.2:3478"), Obstacle::useless},
      {"another family", endpoint("[2001:470::1]:3479"), Obstacle::useless},
      {"no port", endpoint("198.51.100.2:0"), Obstacle::useless},
      {"no address", endpoint("0.0.0.0:3479"), Obstacle::useless},
  };
  for (const auto& [what, named, obstacle] : rows) {
    CAPTURE(what);
    NatDiscovery discovery{local, server};
    Granted granted;
    granted.mapped = endpoint("203.0.113.9:50000");
    granted.other = named;
    discovery.on_outcome(NatAnswer{granted, server});
    CHECK_FALSE(discovery.next());
    CHECK(discovery.obstacle() == obstacle);
    CHECK(discovery.behavior().translated);
    CHECK(discovery.behavior().mapping == Dependence::unknown);
  }
  NatDiscovery discovery{local, server};
  discovery.on_outcome(std::unexpected{Reason::silent});
  CHECK_FALSE(discovery.next());
  CHECK(discovery.obstacle() == Obstacle::no_answer);
}

TEST_CASE("silence at the last test leaves mapping unknown") {
  NatDiscovery discovery{local, server};
  Path path{.mapping = Dependence::address_and_port};
  while (const auto test = discovery.next()) {
    discovery.on_outcome(test->to == other ? NatOutcome{std::unexpected{Reason::silent}}
                                           : path.ask(*test));
  }
  CHECK(discovery.obstacle() == Obstacle::other_silent);
  CHECK(discovery.behavior().mapping == Dependence::unknown);
  CHECK(discovery.behavior().filtering == Dependence::none);
}

}  // namespace yuelao::client::nat_discovery_test

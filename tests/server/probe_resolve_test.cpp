#include "server/probe/resolve.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "server/probe/dns.hpp"
#include "server/probe/waiting.hpp"

namespace yuelao::probe::probe_resolve_test {
namespace {

using namespace std::chrono_literals;
using client::DnsAnswer;
using client::DnsQuestion;
using Outcome = DnsAnswer::Outcome;
using Texts = std::vector<std::string>;
using Type = DnsQuestion::Type;

class NoRandom final : public Random {
 public:
  void fill(MutableBytes out) override { std::ranges::fill(out, std::byte{0}); }
};

// What a DNS server and a hosts file know.
struct World {
  client::DnsAnswers records;
  std::map<std::string, Texts> addresses;
  Texts looked_up;
  std::vector<SteadyTime> asked_until;

  Resolver resolver() {
    return {.ask =
                [this](const auto& questions, SteadyTime until) {
                  asked_until.push_back(until);
                  client::DnsAnswers answers;
                  for (const auto& one : questions) answers[one] = records[one];
                  return answers;
                },
            .look_up = [this](const auto& host,
                              SteadyTime) -> std::expected<std::vector<IpAddress>, std::string> {
              looked_up.push_back(host);
              if (!addresses.contains(host)) return std::unexpected{std::string{"no such name"}};
              std::vector<IpAddress> found;
              for (const auto& one : addresses[host])
                found.push_back(IpAddress::parse(one).value());
              return found;
            }};
  }
  Resolved resolve(std::string_view uri, SteadyTime deadline = steady_now() + 10s) {
    NoRandom random;
    return probe::resolve(client::parse_uri(uri).value(), resolver(), random, deadline);
  }
};

Texts places_of(const Resolved& resolved) {
  Texts texts;
  for (const auto& one : resolved.places) {
    texts.push_back(std::string{name(one.transport)} + " " + one.server.to_string());
  }
  return texts;
}

// The sentences of the steps of this name, with their verdict before them.
Texts told(const Resolved& resolved, std::string_view step) {
  Texts texts;
  for (const auto& one : resolved.steps) {
    if (one.name == step) texts.push_back(std::string{name(one.verdict)} + ": " + one.sentences);
  }
  return texts;
}

DnsAnswer srv(std::vector<client::SrvRecord> records) {
  return {Outcome::found, {}, std::move(records)};
}

TEST_CASE("an address in the URI is tried as it is, and nothing is told of it") {
  World world;
  const auto resolved = world.resolve("turn:[2001:db8::1]");
  CHECK(places_of(resolved) == Texts{"udp [2001:db8::1]:3478", "tcp [2001:db8::1]:3478"});
  CHECK(resolved.steps.empty());
  CHECK(world.looked_up.empty());
  CHECK(world.asked_until.empty());
}

TEST_CASE("a host without records is tried over UDP on all its addresses, then over TCP") {
  World world;
  world.addresses["a.test"] = {"192.0.2.1", "2001:db8::1"};
  const auto resolved = world.resolve("turn:a.test");
  CHECK(places_of(resolved) == Texts{"udp 192.0.2.1:3478", "udp [2001:db8::1]:3478",
                                     "tcp 192.0.2.1:3478", "tcp [2001:db8::1]:3478"});
  CHECK(world.looked_up == Texts{"a.test"});
  CHECK(
      told(resolved, "records") ==
      Texts{"works: There are no NAPTR records of a.test, SRV records of _turn._udp.a.test or SRV "
            "records of _turn._tcp.a.test."});
  CHECK(told(resolved, "order") ==
        Texts{"works: Clients try, in this order: UDP to a.test port 3478, then TCP to a.test port "
              "3478."});
  CHECK(told(resolved, "resolve") ==
        Texts{"works: a.test has the addresses 192.0.2.1 and 2001:db8::1."});
}

TEST_CASE("servers are tried in the order of their records, and each place once") {
  World world;
  world.records[{Type::srv, "_turn._udp.a.test"}] =
      srv({{20, 0, 2, "two.test"}, {10, 0, 1, "one.test"}, {30, 0, 1, "same.test"}});
  world.addresses["one.test"] = {"192.0.2.1", "192.0.2.2"};
  world.addresses["two.test"] = {"192.0.2.1"};
  world.addresses["same.test"] = {"192.0.2.2"};
  const auto resolved = world.resolve("turn:a.test?transport=udp");
  CHECK(places_of(resolved) == Texts{"udp 192.0.2.1:1", "udp 192.0.2.2:1", "udp 192.0.2.1:2"});
  CHECK(
      told(resolved, "records") ==
      Texts{"works: The SRV records of _turn._udp.a.test, in their order: 10 0 1 one.test; 20 0 2 "
            "two.test; and 30 0 1 same.test."});
  CHECK(told(resolved, "order").front().contains("Browsers do not look at these records"));
}

TEST_CASE("a host that leads nowhere fails with what to do about it") {
  World world;
  world.addresses["here.test"] = {"192.0.2.1"};
  CHECK(told(world.resolve("turn:a.test:1"), "resolve") ==
        Texts{"failed: a.test leads to no address: no such name. Look at the spelling, and at the "
              "name's A and AAAA records."});
  world.records[{Type::srv, "_turn._udp.a.test"}] =
      srv({{0, 0, 1, "gone.test"}, {1, 0, 1, "here.test"}});
  const auto resolved = world.resolve("turn:a.test?transport=udp");
  CHECK(places_of(resolved) == Texts{"udp 192.0.2.1:1"});
  CHECK(
      told(resolved, "resolve").front() ==
      "failed: gone.test leads to no address: no such name. Give it A or AAAA records, or correct "
      "the record that names it.");
}

TEST_CASE("no more than eight places are tried, and hosts after those not even looked up") {
  World world;
  auto& answer = world.records[{Type::srv, "_turn._udp.a.test"}];
  answer = srv({});
  for (std::uint16_t i = 0; i < 12; ++i) {
    const auto host = "h" + std::to_string(i) + ".test";
    answer.srv.push_back({i, 0, 1, host});
    world.addresses[host] = {"192.0.2." + std::to_string(i)};
  }
  const auto resolved = world.resolve("turn:a.test?transport=udp");
  CHECK(resolved.places.size() == 8);
  CHECK(resolved.targets.size() == 12);
  CHECK(world.looked_up.size() == 9);
  CHECK(told(resolved, "resolve").back().starts_with("skipped: No more than 8 ways"));
}

TEST_CASE("where records lead to no server that is said, and fails") {
  World world;
  world.addresses["a.test"] = {"192.0.2.1"};
  world.records[{Type::srv, "_turn._udp.a.test"}] = srv({{0, 0, 0, ""}});
  const auto resolved = world.resolve("turn:a.test?transport=udp");
  CHECK(resolved.places.empty());
  CHECK(told(resolved, "order") == Texts{"failed: The records lead to no server for this URI."});
}

TEST_CASE("each thing that is wrong with records has a sentence with its verdict") {
  struct Row {
    std::string_view what;
    DnsAnswer naptr;
    std::string_view begins;
    std::string_view holds;
  };
  const auto naptr = [](std::string flags, std::string replacement) {
    return DnsAnswer{Outcome::found,
                     {{1, 1, std::move(flags), "RELAY:turn.udp", "", std::move(replacement)}},
                     {}};
  };
  const Row rows[] = {
      {"a loop", naptr("", "a.test"), "failed: ", "in a circle back to a.test"},
      {"a dead end", naptr("S", "gone.test"),
       "failed: ", "leads to gone.test, which does not have"},
      {"an unknown flag", naptr("U", "b.test"), "attention: ", "no client can use"},
      {"nobody there", {Outcome::silent, {}, {}}, "skipped: ", "NAPTR records of a.test"},
      {"a refusal", {Outcome::refused, {}, {}}, "attention: ", "NAPTR records of a.test"},
      {"no answer at all", {Outcome::malformed, {}, {}}, "attention: ", "NAPTR records of a.test"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    world.records[{Type::naptr, "a.test"}] = row.naptr;
    const auto sentences = told(world.resolve("turn:a.test"), "records");
    CHECK(std::ranges::any_of(sentences, [&](const std::string& one) {
      return one.starts_with(row.begins) && one.contains(row.holds) && one.ends_with('.');
    }));
  }
}

TEST_CASE("what a DNS server wrote is fit for a terminal") {
  World world;
  world.records[{Type::naptr, "a.test"}] = {
      Outcome::found, {{1, 1, "\x1B[2J", "RELAY:turn.udp", "\n", std::string(1000, 'x')}}, {}};
  for (const auto& step : world.resolve("turn:a.test").steps) {
    CHECK(step.sentences.size() < 500);
    CHECK(std::ranges::all_of(step.sentences, [](char c) { return c >= ' ' && c <= '~'; }));
  }
}

TEST_CASE("questions leave three seconds for addresses, and take two and a half at most") {
  World world;
  const auto began = steady_now();
  world.resolve("turn:a.test", began + 4s);
  world.resolve("turn:a.test", began + 60s);
  REQUIRE(world.asked_until.size() == 4);
  CHECK(world.asked_until[0] == began + 1s);
  CHECK(world.asked_until[1] == began + 1s);
  CHECK(world.asked_until[2] >= began + 2500ms);
  CHECK(world.asked_until[2] <= steady_now() + 2500ms);
}

TEST_CASE("after its deadline no question is asked, and each has its answer") {
  const std::vector<DnsQuestion> questions{{Type::naptr, "a.test"},
                                           {Type::srv, "_turn._udp.a.test"}};
  const auto answers = ask(questions, steady_now() - 1s);
  REQUIRE(answers.size() == 2);
  for (const auto& [question, answer] : answers) CHECK(answer.outcome == Outcome::silent);
}

TEST_CASE("a name that no DNS message can hold is no such name") {  // RFC 1035 §2.3.4
  const std::vector<DnsQuestion> questions{{Type::srv, std::string(64, 'a') + ".test"},
                                           {Type::srv, "_turn._udp.a..test"}};
  for (const auto& [question, answer] : ask(questions, steady_now() + 30s)) {
    CHECK(answer.outcome == Outcome::no_name);
  }
}

}  // namespace
}  // namespace yuelao::probe::probe_resolve_test

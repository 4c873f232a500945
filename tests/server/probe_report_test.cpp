#include "server/probe/report.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace yuelao::probe::probe_report_test {
namespace {

using namespace std::chrono_literals;
using client::DnsAnswer;
using client::DnsQuestion;

Endpoint endpoint(std::string_view text) { return Endpoint::parse(text).value(); }

Leg leg_with(std::initializer_list<Verdict> verdicts) {
  Leg leg;
  leg.server = endpoint("192.0.2.1:3478");
  for (const auto verdict : verdicts) leg.add({"step", verdict, "A sentence."});
  return leg;
}

Report report_of(std::vector<Leg> legs) {
  Report report;
  report.uri = client::parse_uri("turn:turn.test").value();
  report.legs = std::move(legs);
  return report;
}

bool ends_with(const std::string& text, std::string_view end) { return text.ends_with(end); }

TEST_CASE("a leg is what the worst of its steps is, and one that was tried counts") {
  using enum Verdict;
  CHECK(leg_with({}).verdict == skipped);
  CHECK(leg_with({skipped, skipped}).verdict == skipped);
  CHECK(leg_with({skipped, works}).verdict == works);
  CHECK(leg_with({works, attention, skipped}).verdict == attention);
  CHECK(leg_with({failed, attention, works}).verdict == failed);
}

TEST_CASE("a report works where something did and nothing failed, before the legs or in them") {
  using enum Verdict;
  CHECK(report_of({leg_with({works})}).works());
  CHECK(report_of({leg_with({attention}), leg_with({skipped})}).works());
  CHECK_FALSE(report_of({leg_with({works}), leg_with({failed})}).works());
  CHECK_FALSE(report_of({leg_with({skipped})}).works());
  CHECK_FALSE(report_of({}).works());
  auto unresolved = report_of({leg_with({works})});
  unresolved.resolution.push_back({"records", attention, ""});
  CHECK(unresolved.works());
  unresolved.resolution.push_back({"resolve", failed, ""});
  CHECK_FALSE(unresolved.works());
}

TEST_CASE("the text begins with the URI, marks each step and ends with what it comes to") {
  auto report = report_of({leg_with({Verdict::works, Verdict::attention})});
  report.resolution.push_back({"records", Verdict::skipped, "Nobody answered."});
  report.legs.front().software = "a server";
  CHECK(to_text(report) ==
        "turn:turn.test\n"
        "  -       Nobody answered.\n"
        "\n"
        "UDP to 192.0.2.1:3478: works, with something to look at\n"
        "  ok      A sentence.\n"
        "  look    A sentence.\n"
        "          It calls itself a server.\n"
        "\n"
        "It works.\n");
}

TEST_CASE("the last line counts the ways that work among those that were tried") {
  const auto works = leg_with({Verdict::works});
  const auto failed = leg_with({Verdict::failed});
  const auto skipped = leg_with({Verdict::skipped});
  CHECK(ends_with(to_text(report_of({})), "\nNothing could be tried.\n"));
  CHECK(ends_with(to_text(report_of({skipped})), "\nNothing could be tried.\n"));
  CHECK(ends_with(to_text(report_of({works, works})), "\nEverything works.\n"));
  CHECK(ends_with(to_text(report_of({works, skipped})), "\nIt works.\n"));
  CHECK(ends_with(to_text(report_of({works, failed, skipped})),
                  "\n1 of 2 ways to the server work.\n"));
  CHECK(ends_with(to_text(report_of({failed, skipped})), "\nNothing works.\n"));
}

TEST_CASE("JSON has the records and the servers that they lead to") {
  auto report = report_of({});
  report.lookups.push_back({{DnsQuestion::Type::srv, "_turn._udp.turn.test"},
                            DnsAnswer::Outcome::found,
                            {"0 5 3478 one.test"}});
  report.lookups.push_back(
      {{DnsQuestion::Type::naptr, "turn.test"}, DnsAnswer::Outcome::silent, {}});
  report.targets.push_back({Transport::udp, "one.test", 3478});
  const auto json = nlohmann::json::parse(to_json(report));
  CHECK(json["lookups"] == nlohmann::json::parse(R"([
    {"type": "SRV", "name": "_turn._udp.turn.test", "outcome": "found",
     "records": ["0 5 3478 one.test"]},
    {"type": "NAPTR", "name": "turn.test", "outcome": "no answer", "records": []}])"));
  CHECK(json["targets"] ==
        nlohmann::json::parse(R"([{"transport": "udp", "host": "one.test", "port": 3478}])"));
}

TEST_CASE("JSON tells what the server offers those who authenticate, and what was used") {
  auto report = report_of({leg_with({Verdict::works}), leg_with({Verdict::works})});
  report.legs[0].offer = {
      .algorithms = {2, 1, 3}, .chosen = stun::KeyAlgorithm::sha256, .user_anonymity = true};
  const auto json = nlohmann::json::parse(to_json(report));
  CHECK(json["legs"][0]["authentication"] == nlohmann::json::parse(R"(
    {"password_algorithms": ["SHA-256", "MD5", "0x0003"], "user_anonymity": true,
     "used": "SHA-256"})"));
  CHECK(json["legs"][1]["authentication"].is_null());
}

TEST_CASE("JSON holds what was found out, and null for what was not") {
  auto report = report_of({leg_with({Verdict::works})});
  auto& leg = report.legs.front();
  leg.mapped = endpoint("198.51.100.7:40112");
  leg.round_trip = 12345us;
  leg.data.push_back(
      {.way = DataTest::Way::from_socket, .sent = 50, .arrived = 49, .returned = 48});
  report.took = 1500ms;
  const auto json = nlohmann::json::parse(to_json(report));
  CHECK(json["uri"] == "turn:turn.test");
  CHECK(json["works"] == true);
  CHECK(json["seconds"] == 1.5);
  const auto& first = json["legs"][0];
  CHECK(first["transport"] == "udp");
  CHECK(first["server"] == "192.0.2.1:3478");
  CHECK(first["verdict"] == "works");
  CHECK(first["mapped"] == "198.51.100.7:40112");
  CHECK(first["round_trip_ms"] == 12.345);
  CHECK(first["data"][0]["way"] == "from a socket");
  CHECK(first["data"][0]["arrived"] == 49);
  CHECK(first["steps"] ==
        nlohmann::json::parse(R"([{"step": "step", "verdict": "works", "text": "A sentence."}])"));
  for (const auto* unknown : {"local", "relayed", "certificate"}) CHECK(first[unknown].is_null());
}

TEST_CASE("JSON is JSON whatever octets a server sent") {
  auto report = report_of({leg_with({Verdict::works})});
  report.legs.front().steps.front().sentences = "\xFF\"\n";
  CHECK(nlohmann::json::accept(to_json(report)));
}

}  // namespace
}  // namespace yuelao::probe::probe_report_test

#include "protocol/client/resolution.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace yuelao::client::resolution_test {
namespace {

using Kind = Remark::Kind;
using Outcome = DnsAnswer::Outcome;
using Type = DnsQuestion::Type;
using Texts = std::vector<std::string>;

class NoRandom final : public Random {
 public:
  void fill(MutableBytes out) override { std::ranges::fill(out, std::byte{0}); }
};

constexpr std::array usual{Transport::udp, Transport::tcp, Transport::tls};

// A zone in the notation of zone files, '-' for an empty string:
// "example.org NAPTR 100 10 S RELAY:turn.udp - _turn._udp.example.org".
class Zone {
 public:
  Zone() = default;
  explicit Zone(const Texts& lines) {
    for (const auto& line : lines) add(line);
  }

  void add(const std::string& line) {
    std::istringstream words{line};
    std::string owner;
    std::string type;
    words >> owner >> type;
    if (type == "NAPTR") {
      NaptrRecord one;
      words >> one.order >> one.preference >> one.flags >> one.services >> one.regular_expression >>
          one.replacement;
      for (auto* text : {&one.flags, &one.regular_expression}) {
        if (*text == "-") text->clear();
      }
      one.replacement = canonical(one.replacement);
      found({Type::naptr, owner}).naptr.push_back(one);
    } else {
      SrvRecord one;
      words >> one.priority >> one.weight >> one.port >> one.target;
      one.target = canonical(one.target);
      found({Type::srv, owner}).srv.push_back(one);
    }
  }
  void fails(const DnsQuestion& question, Outcome outcome) {
    records_[question] = {outcome, {}, {}};
  }
  DnsAnswer answer(const DnsQuestion& question) const {
    const auto found = records_.find(question);
    return found == records_.end() ? DnsAnswer{} : found->second;
  }

 private:
  DnsAnswer& found(const DnsQuestion& question) {
    auto& answer = records_[question];
    answer.outcome = Outcome::found;
    return answer;
  }
  DnsAnswers records_;
};

struct Resolved {
  Texts asked;
  Texts targets;
  std::vector<Remark> remarks;
};

Resolved resolve(std::string_view text, const Zone& zone,
                 std::span<const Transport> supported = usual) {
  const auto uri = parse_uri(text);
  REQUIRE(uri);
  NoRandom random;
  DnsAnswers answers;
  Resolved resolved;
  while (true) {
    const auto now = plan(*uri, supported, answers, random);
    for (const auto& question : now.questions) {
      resolved.asked.push_back(std::string{name(question.type)} + " " + question.name);
      REQUIRE(answers.emplace(question, zone.answer(question)).second);
    }
    if (!now.questions.empty()) {
      CHECK(now.targets.empty());
      continue;
    }
    for (const auto& one : now.targets) {
      resolved.targets.push_back(std::string{name(one.transport)} + " " + one.host + " " +
                                 std::to_string(one.port));
    }
    resolved.remarks = now.remarks;
    return resolved;
  }
}

bool remarked(const Resolved& resolved, Kind kind, const std::string& name) {
  return std::ranges::find(resolved.remarks, Remark{kind, name}) != resolved.remarks.end();
}

// A line with a number for each '#'.
std::string numbered(std::string_view line, int number) {
  std::string text;
  for (const char c : line) text += c == '#' ? std::to_string(number) : std::string{c};
  return text;
}

// RFC 5928 §4.1, figure 1.
const Texts figure_1{
    "example.net NAPTR 100 10 - RELAY:turn.udp - datagram.example.net",
    "example.net NAPTR 200 10 - RELAY:turn.tcp:turn.tls - stream.example.net",
    "datagram.example.net NAPTR 100 10 S RELAY:turn.udp - _turn._udp.example.net",
    "stream.example.net NAPTR 100 10 S RELAY:turn.tcp - _turn._tcp.example.net",
    "stream.example.net NAPTR 200 10 A RELAY:turn.tls - a.example.net",
    "_turn._udp.example.net SRV 0 0 3478 a.example.net",
    "_turn._tcp.example.net SRV 0 0 5000 a.example.net",
};

TEST_CASE("the RFC's example of several protocols comes out as its table 2") {  // RFC 5928 §4.1
  constexpr std::array preference{Transport::tls, Transport::tcp, Transport::udp};
  const auto resolved = resolve("turn:example.net", Zone{figure_1}, preference);
  CHECK(resolved.targets ==
        Texts{"udp a.example.net 3478", "tls a.example.net 5349", "tcp a.example.net 5000"});
  CHECK(resolved.remarks.empty());
}

TEST_CASE("among protocols of one rank the application's preference decides") {  // RFC 5928 §3
  const auto resolved = resolve("turn:example.net", Zone{figure_1});
  CHECK(resolved.targets ==
        Texts{"udp a.example.net 3478", "tcp a.example.net 5000", "tls a.example.net 5349"});
}

TEST_CASE("the RFC's example of remote hosting leads to the other domain") {  // RFC 5928 §4.2
  Zone zone{figure_1};
  zone.add("example.com NAPTR 100 10 - RELAY:turn.udp:turn.tcp:turn.tls - example.net");
  constexpr std::array preference{Transport::tls, Transport::tcp, Transport::udp};
  CHECK(resolve("turn:example.com", zone, preference).targets ==
        Texts{"tls a.example.net 5349", "tcp a.example.net 5000", "udp a.example.net 3478"});
}

TEST_CASE("what an URI says decides what is looked up, and where it leads without records") {
  struct Row {  // RFC 5928 §3, steps 1 to 5; RFC 8489 §8.1
    std::string_view uri;
    Texts asked;
    Texts targets;
  };
  const Row rows[] = {
      {"turn:192.0.2.1", {}, {"udp 192.0.2.1 3478", "tcp 192.0.2.1 3478"}},
      {"turn:[2001:db8::1]:99?transport=udp", {}, {"udp 2001:db8::1 99"}},
      {"turns:192.0.2.1", {}, {"tls 192.0.2.1 5349"}},
      {"turn:a.test:99", {}, {"udp a.test 99", "tcp a.test 99"}},
      {"turn:a.test:99?transport=tcp", {}, {"tcp a.test 99"}},
      {"turns:a.test:443?transport=tcp", {}, {"tls a.test 443"}},
      {"turn:a.test?transport=udp", {"SRV _turn._udp.a.test"}, {"udp a.test 3478"}},
      {"turn:a.test?transport=tcp", {"SRV _turn._tcp.a.test"}, {"tcp a.test 3478"}},
      {"turns:a.test?transport=tcp", {"SRV _turns._tcp.a.test"}, {"tls a.test 5349"}},
      {"turn:A.test.",
       {"NAPTR a.test", "SRV _turn._udp.a.test", "SRV _turn._tcp.a.test"},
       {"udp A.test. 3478", "tcp A.test. 3478"}},
      {"turns:a.test", {"NAPTR a.test", "SRV _turns._tcp.a.test"}, {"tls a.test 5349"}},
      {"stun:a.test", {"SRV _stun._udp.a.test"}, {"udp a.test 3478"}},
      {"stuns:a.test", {"SRV _stuns._tcp.a.test"}, {"tls a.test 5349"}},
      {"stun:a.test:99", {}, {"udp a.test 99"}},
      {"stun:192.0.2.1", {}, {"udp 192.0.2.1 3478"}},
      {"turn:localhost?transport=udp", {}, {"udp localhost 3478"}},  // RFC 6761 §6.3
      {"stun:turn.LocalHost", {}, {"udp turn.LocalHost 3478"}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.uri);
    const auto resolved = resolve(row.uri, Zone{});
    CHECK(resolved.asked == row.asked);
    CHECK(resolved.targets == row.targets);
    CHECK(resolved.remarks.empty());
  }
}

TEST_CASE("a transport that the application does not support is not tried") {  // RFC 5928 §3
  constexpr std::array udp_only{Transport::udp};
  CHECK(resolve("turn:a.test?transport=tcp", Zone{}, udp_only).targets.empty());
  CHECK(resolve("turns:a.test", Zone{}, udp_only).targets.empty());
  CHECK(resolve("turn:example.net", Zone{figure_1}, udp_only).targets ==
        Texts{"udp a.example.net 3478"});
}

// RFC 7350 §4.6, §4.6.2
TEST_CASE("DTLS is looked up by its own records, and only where the URI means it") {
  constexpr std::array all{Transport::dtls, Transport::udp, Transport::tcp, Transport::tls};
  const Zone zone{
      {"_turns._udp.a.test SRV 0 0 444 udp.a.test", "_turns._tcp.a.test SRV 0 0 443 tcp.a.test"}};
  CHECK(resolve("turns:a.test?transport=udp", zone, all).targets == Texts{"dtls udp.a.test 444"});
  CHECK(resolve("turns:a.test?transport=tcp", zone, all).targets == Texts{"tls tcp.a.test 443"});
  CHECK(resolve("turns:a.test", zone, all).targets ==
        Texts{"dtls udp.a.test 444", "tls tcp.a.test 443"});
  CHECK(resolve("turns:a.test?transport=udp", Zone{}, all).targets == Texts{"dtls a.test 5349"});
  CHECK(resolve("turn:a.test?transport=udp", Zone{}, all).targets == Texts{"udp a.test 3478"});
  CHECK(resolve("turn:a.test:3478", Zone{}, all).targets ==
        Texts{"udp a.test 3478", "tcp a.test 3478"});
  // Whoever does not speak it has no server.
  CHECK(resolve("turns:a.test?transport=udp", zone).targets.empty());

  const Zone named{{"a.test NAPTR 10 0 A RELAY:turn.dtls - b.test"}};
  CHECK(resolve("turns:a.test", named, all).targets == Texts{"dtls b.test 5349"});
}

TEST_CASE("SRV records name the host and the port, each transport its own") {  // steps 3 and 5
  const Zone zone{{"_turn._udp.a.test SRV 10 0 3000 backup.test",
                   "_turn._udp.a.test SRV 0 0 3001 first.test",
                   "_stuns._tcp.a.test SRV 0 0 444 stun.test"}};
  CHECK(resolve("turn:a.test", zone).targets ==
        Texts{"udp first.test 3001", "udp backup.test 3000", "tcp a.test 3478"});
  CHECK(resolve("turn:a.test?transport=udp", zone).targets ==
        Texts{"udp first.test 3001", "udp backup.test 3000"});
  CHECK(resolve("stuns:a.test", zone).targets == Texts{"tls stun.test 444"});
}

TEST_CASE("the SRV target \".\" says that the service is not there") {  // RFC 2782
  const Zone zone{{"_turn._udp.a.test SRV 0 0 3001 first.test", "_turn._tcp.a.test SRV 0 0 0 ."}};
  const auto resolved = resolve("turn:a.test", zone);
  CHECK(resolved.targets == Texts{"udp first.test 3001"});
  CHECK(resolved.remarks == std::vector{Remark{Kind::not_offered, "_turn._tcp.a.test"}});
}

TEST_CASE("NAPTR records for other services, or for no transport that is wanted, do not count") {
  const Zone zone{{"a.test NAPTR 1 1 S SIP+D2U - _sip._udp.a.test",
                   "a.test NAPTR 1 1 S RELAYED:turn.udp - x.test",
                   "a.test NAPTR 1 1 S RELAY:turn.udpx - x.test",
                   "a.test NAPTR 1 1 S RELAY - x.test",
                   "b.test NAPTR 1 1 A RELAY:turn.udp - x.test"}};
  CHECK(resolve("turn:a.test", zone).targets == Texts{"udp a.test 3478", "tcp a.test 3478"});
  CHECK(resolve("turns:b.test", zone).targets == Texts{"tls b.test 5349"});
}

TEST_CASE("flags and tags have no case, and an A flag has the default ports") {  // RFC 3958
  const Zone zone{{"a.test NAPTR 1 1 a relay:TURN.UDP:turn.Tcp:TURN.tls - X.test."}};
  CHECK(resolve("turn:a.test", zone).targets ==
        Texts{"udp x.test 3478", "tcp x.test 3478", "tls x.test 5349"});
}

TEST_CASE("NAPTR records of one protocol are tried in their order") {
  const Zone zone{{"a.test NAPTR 20 1 A RELAY:turn.udp - third.test",
                   "a.test NAPTR 10 2 A RELAY:turn.udp - second.test",
                   "a.test NAPTR 10 1 A RELAY:turn.udp - first.test",
                   "a.test NAPTR 15 1 A RELAY:turn.tcp - tcp.test"}};
  CHECK(resolve("turn:a.test", zone).targets == Texts{"udp first.test 3478", "udp second.test 3478",
                                                      "udp third.test 3478", "tcp tcp.test 3478"});
}

TEST_CASE("the order of the first records ranks the protocols, before their preference") {
  const Zone zone{{"a.test NAPTR 20 10 A RELAY:turn.udp - udp.test",
                   "a.test NAPTR 10 20 A RELAY:turn.tcp - tcp.test",
                   "a.test NAPTR 10 10 A RELAY:turn.tls - tls.test"}};
  CHECK(resolve("turn:a.test", zone).targets ==
        Texts{"tls tls.test 5349", "tcp tcp.test 3478", "udp udp.test 3478"});
}

TEST_CASE("a NAPTR loop ends, with a remark, and what is beside it is used") {
  const Zone zone{{"a.test NAPTR 1 1 - RELAY:turn.udp - b.test",
                   "b.test NAPTR 1 1 - RELAY:turn.udp - a.test",
                   "b.test NAPTR 2 1 A RELAY:turn.udp - x.test",
                   "self.test NAPTR 1 1 - RELAY:turn.udp - self.test"}};
  const auto resolved = resolve("turn:a.test", zone);
  CHECK(resolved.targets == Texts{"udp x.test 3478"});
  CHECK(resolved.remarks == std::vector{Remark{Kind::loop, "a.test"}});
  const auto self = resolve("turn:self.test", zone);
  CHECK(self.targets.empty());
  CHECK(self.remarks == std::vector{Remark{Kind::loop, "self.test"}});
}

TEST_CASE("NAPTR records that lead to nothing are remarked on") {
  const Zone zone{{"a.test NAPTR 1 1 S RELAY:turn.udp - _turn._udp.gone.test",
                   "a.test NAPTR 1 1 - RELAY:turn.tcp - gone.test"}};
  const auto resolved = resolve("turn:a.test", zone);
  CHECK(resolved.targets.empty());
  CHECK(resolved.remarks == std::vector{Remark{Kind::dead_end, "_turn._udp.gone.test"},
                                        Remark{Kind::dead_end, "gone.test"}});
}

TEST_CASE("a server that says nothing is no dead end") {
  Zone zone{{"a.test NAPTR 1 1 S RELAY:turn.udp - srv.test",
             "a.test NAPTR 1 1 - RELAY:turn.tcp - naptr.test"}};
  zone.fails({Type::srv, "srv.test"}, Outcome::silent);
  zone.fails({Type::naptr, "naptr.test"}, Outcome::refused);
  CHECK(resolve("turn:a.test", zone).remarks.empty());
}

TEST_CASE("where no question is answered the host is the server") {  // step 5's last resort
  for (const auto outcome :
       {Outcome::none, Outcome::no_name, Outcome::silent, Outcome::refused, Outcome::malformed}) {
    Zone zone;
    zone.fails({Type::naptr, "a.test"}, outcome);
    zone.fails({Type::srv, "_turn._udp.a.test"}, outcome);
    zone.fails({Type::srv, "_turn._tcp.a.test"}, outcome);
    CHECK(resolve("turn:a.test", zone).targets == Texts{"udp a.test 3478", "tcp a.test 3478"});
  }
}

TEST_CASE("records that no client can use are passed over, with a remark") {  // RFC 3958
  const Zone zone{{"a.test NAPTR 1 1 U RELAY:turn.udp - x.test",
                   "b.test NAPTR 1 1 - RELAY:turn.udp !^.*$!x! x.test",
                   "c.test NAPTR 1 1 S RELAY:turn.udp - .", "_turn._udp.d.test SRV 0 0 0 x.test",
                   "_turn._udp.e.test SRV 0 0 1 .", "_turn._udp.e.test SRV 0 0 9 x.test"}};
  for (const std::string host : {"a.test", "b.test", "c.test"}) {
    CAPTURE(host);
    const auto resolved = resolve("turn:" + host, zone);
    CHECK(resolved.targets.empty());
    CHECK(remarked(resolved, Kind::unusable, host));
  }
  const auto port_0 = resolve("turn:d.test?transport=udp", zone);
  CHECK(port_0.targets.empty());
  CHECK(remarked(port_0, Kind::unusable, "_turn._udp.d.test"));
  const auto beside = resolve("turn:e.test?transport=udp", zone);
  CHECK(beside.targets == Texts{"udp x.test 9"});
  CHECK(remarked(beside, Kind::unusable, "_turn._udp.e.test"));
}

TEST_CASE("thousands of records make no more work than a few") {
  Zone zone;
  for (int i = 0; i < 3000; ++i) {
    zone.add(numbered("_turn._udp.a.test SRV # 1 1 #.test", i));
    zone.add(numbered("a.test NAPTR # 1 A RELAY:turn.tcp - #.test", i));
  }
  const auto udp = resolve("turn:a.test?transport=udp", zone);
  CHECK(udp.targets.size() == most_targets);
  CHECK(udp.targets.front() == "udp 0.test 1");
  CHECK(remarked(udp, Kind::too_many_records, "_turn._udp.a.test"));
  CHECK(remarked(udp, Kind::too_many_targets, ""));
  const auto tcp = resolve("turn:a.test", zone);
  CHECK(tcp.targets.size() == most_targets);
  CHECK(remarked(tcp, Kind::too_many_records, "a.test"));
  for (int i = 0; i < 32; ++i) zone.add("b.test NAPTR 1 1 S SIP+D2U - x.test");
  zone.add("b.test NAPTR 2 1 A RELAY:turn.udp - x.test");
  CHECK(resolve("turn:b.test", zone).targets == Texts{"udp b.test 3478", "tcp b.test 3478"});
}

TEST_CASE("a chain or a tree of NAPTR records is asked for so far and no further") {
  Zone chain;
  Zone tree;
  for (int i = 0; i < 100; ++i) {
    const auto owner = "n" + std::to_string(i) + ".test";
    chain.add(owner + " NAPTR 1 1 - RELAY:turn.udp - n" + std::to_string(i + 1) + ".test");
    for (int branch = 1; branch <= 3; ++branch) {
      tree.add(owner + " NAPTR 1 1 - RELAY:turn.udp:turn.tcp:turn.tls - n" +
               std::to_string(3 * i + branch) + ".test");
    }
  }
  for (const auto& zone : {chain, tree}) {
    const auto resolved = resolve("turn:n0.test", zone);
    CHECK(resolved.asked.size() == most_questions);
    CHECK(remarked(resolved, Kind::too_many_questions, ""));
  }
}

TEST_CASE("names that all lead to the same next ones are followed once") {
  Zone zone;  // nine to the twentieth ways from the first name to the last
  for (int i = 0; i < 20; ++i) {
    for (int way = 0; way < 9; ++way) {
      zone.add("n" + std::to_string(i) + ".test NAPTR 1 1 - RELAY:turn.udp - n" +
               std::to_string(i + 1) + ".test");
    }
  }
  zone.add("n20.test NAPTR 1 1 A RELAY:turn.udp - x.test");
  const auto resolved = resolve("turn:n0.test", zone);
  CHECK(resolved.targets == Texts{"udp x.test 3478"});
  CHECK(resolved.remarks.empty());
}

}  // namespace
}  // namespace yuelao::client::resolution_test

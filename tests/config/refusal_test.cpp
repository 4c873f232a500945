#include <doctest/doctest.h>

#include "tests/config/refused.hpp"

namespace yuelao::config::refusal_test {

using test::check_refused;
using Row = test::Refused;

TEST_CASE("a web server to share a port with has to be somewhere else") {
  constexpr Row rows[] = {
      {"tls: {certificate: a, key: b}\nlisten: tls:443\nweb_server: {proxy_protocol: v2}", "3:13",
       "say where it is: `web_server.tls`, `web_server.plain` or both"},
      {"web_server: {tls: 127.0.0.1:8443}", "1:13",
       "there is no port to share: add a tls listener"},
      {"tls: {certificate: a, key: b}\nlisten: tls:443\nweb_server: {tls: 127.0.0.1:443}", "3:19",
       "yuelao itself listens there"},
      {"tls: {certificate: a, key: b}\nlisten: [tls:443, tcp:10.0.0.1:80]\n"
       "web_server:\n  plain: 10.0.0.1:80",
       "4:10", "yuelao itself listens there"},
      {"web_server: {tls: meet.example.org}", "1:19", "is not an address with a port"},
      {"web_server: {turn_names: [a b]}", "1:27", "`a b` is not a host name"},
      {"web_server: {proxy_protocol: v1}", "1:30", "write one of off, v2"},
      {"proxies: [example.org]", "1:11", "is not a range of addresses"},
  };
  check_refused(rows);
}

TEST_CASE("another server is one address a family") {
  constexpr Row rows[] = {
      {"alternate_server: {domain: b.example.org}", "1:19", "needs its `addresses`"},
      {"alternate_server: {addresses: []}", "1:19", "needs its `addresses`"},
      {"alternate_server: {addresses: b.example.org}", "1:31",
       "is not an address, with a port or without"},
      {"alternate_server: {addresses: 203.0.113.6:0}", "1:31",
       "is not an address, with a port or without"},
      {"alternate_server:\n  addresses: [203.0.113.6, '2001:db8::6', 203.0.113.7:443]", "2:43",
       "an address of this family is there already"},
      {"alternate_server: {addresses: 203.0.113.6, domain: a b}", "1:52",
       "`a b` is not a host name"},
      {"alternate_server: 203.0.113.6", "1:19", "keys with values belong here"},
  };
  check_refused(rows);
}

TEST_CASE("behaviour discovery is two addresses of a family, with two ports") {  // RFC 5780 §6
  constexpr Row rows[] = {
      {"behavior_discovery: {ports: [3478, 3479]}", "1:21", "needs its `addresses`"},
      {"behavior_discovery:", "1:1", "needs its `addresses`"},
      {"behavior_discovery: {addresses: [192.0.2.1]}", "1:33",
       "name a second IPv4 address of this machine"},
      {"behavior_discovery: {addresses: [192.0.2.1, '2001:db8::1']}", "1:33",
       "name a second IPv4 address of this machine"},
      {"behavior_discovery: {addresses: [192.0.2.1, 192.0.2.2, '2001:db8::1']}", "1:33",
       "name a second IPv6 address of this machine"},
      {"behavior_discovery:\n  addresses: [192.0.2.1, 192.0.2.2, 192.0.2.3]", "2:14",
       "name two IPv4 addresses, no more"},
      {"behavior_discovery: {addresses: [192.0.2.1, 192.0.2.1]}", "1:45", "is there already"},
      {"behavior_discovery: {addresses: [203.0.113.5/10.0.0.5, 203.0.113.6/10.0.0.5]}", "1:56",
       "is there already"},
      {"behavior_discovery: {addresses: [203.0.113.5/10.0.0.5, 203.0.113.5/10.0.0.6]}", "1:56",
       "is there already"},
      {"behavior_discovery: {addresses: [turn.example.org, 192.0.2.2]}", "1:34",
       "write 203.0.113.5, or with its own address behind a NAT 203.0.113.5/10.0.0.5"},
      {"behavior_discovery: {addresses: [192.0.2.1/, 192.0.2.2]}", "1:34", "is not an address"},
      {"behavior_discovery: {addresses: [0.0.0.0, 192.0.2.2]}", "1:34", "is not an address"},
      {"behavior_discovery: {addresses: ['2001:db8::1/10.0.0.5', 192.0.2.2]}", "1:34",
       "mixes IPv4 and IPv6"},
      {"behavior_discovery: {addresses: [192.0.2.1, 192.0.2.2], ports: 3478}", "1:64",
       "two different ports belong here, such as [3478, 3479]"},
      {"behavior_discovery: {addresses: [192.0.2.1, 192.0.2.2], ports: [3478, 3478]}", "1:64",
       "two different ports belong here"},
      {"behavior_discovery: {addresses: [192.0.2.1, 192.0.2.2], ports: [3478, 70000]}", "1:71",
       "write a whole number from 1 to 65535"},
      {"tls: {certificate: a, key: b}\n"
       "behavior_discovery: {addresses: [192.0.2.1, 192.0.2.2], ports: [3478, 5349]}",
       "2:64", "port 5349 is a tls listener's"},
  };
  check_refused(rows);
}

TEST_CASE("a key nobody knows is refused, with the one that may be meant") {
  constexpr Row rows[] = {
      {"relam: x", "1:1", "`relam` is not a key: did you mean `realm`?"},
      {"realm: x\n\nlisten-on: udp:1", "3:1", "`listen-on` is not a key"},
      {"external-address: x", "1:1", "did you mean `external_address`?"},
      {"limits:\n  per_users: 1", "2:3", "of `limits`: did you mean `per_user`?"},
      {"limits: {zzz: 1}", "1:10", "the keys here are allocations, per_user"},
      {"per_user: 1", "1:1", "did you mean `limits.per_user`?"},
      {"limits:\n  realm: x", "2:3", "`realm` belongs to no section"},
      {"users:\n - {name: a, pasword: b}", "2:14", "of `users`: did you mean `password`?"},
      {"secrets: [{path: x}]", "1:12", "of `secrets`: the keys here are value, file, env."},
      {"tls.key: x", "1:1", "write `tls:` and indented below it `key:`"},
      {"log: {log.level: x}", "1:7", "not written with a dot"},
      {"\"\": x", "1:1", "`` is not a key"},
  };
  check_refused(rows);
}

TEST_CASE("a key said twice is refused where it stands again") {
  constexpr Row rows[] = {
      {"realm: a\nrealm: b", "2:1", "a second time (first in line 1)"},
      {"log: {level: info, level: info}", "1:20", "`level` stands here a second time"},
      {"users:\n- {name: a, password: b}\n- {name: a, password: c}", "3:3",
       "this user's name stands here a second time"},
      {"secrets: [{value: a, file: b}]", "1:22", "`value` and `file` say the same"},
  };
  check_refused(rows);
}

TEST_CASE("rules for peers that cannot be meant are refused") {
  constexpr Row rows[] = {
      {"peers: {mode: sfu}", "1:15", "peer-to-peer"},
      {"peers: {mode: media-server}", "1:15", "name the media servers in `peers.allow`"},
      {"peers:\n  allow: []\n  mode: media-server", "3:9", "clients could reach nobody"},
      {"peers: {deny_ports: [70000]}", "1:22", "is not a range of ports"},
      {"peers: {allow_ports: 20-10}", "1:22", "is not a range of ports"},
  };
  check_refused(rows);
}

TEST_CASE("a value of the wrong type is refused") {
  constexpr Row rows[] = {
      {"realm: [a]", "1:8", "a single value belongs here, not a list"},
      {"realm: {a: b}", "1:8", "not a section with keys"},
      {"realm:", "1:1", "not nothing"},
      {"realm: ''", "1:8", "this is empty"},
      {"limits: 5", "1:9", "such as `allocations: ...`"},
      {"limits: [5]", "1:9", "keys with values belong here"},
      {"just a word", "1:1", "such as `realm: example.org`"},
      {"- a", "1:1", "keys with values belong here"},
      {"users: guest", "1:8", "a list belongs here"},
      {"users: [guest]", "1:9", "such as `name: ...`"},
      {"users: [{password: x}]", "1:9", "`name` is missing"},
      {"users: [{name: x}]", "1:9", "`password` or `password_file` is missing"},
      {"users: [{name: [], password: x}]", "1:16", "a single value belongs here"},
      {"secrets: abc", "1:10", "a list belongs here"},
      {"secrets: [{}]", "1:11", "`value` or `file` or `env` is missing"},
      {"listen: [[udp:1]]", "1:10", "a single value belongs here"},
      {"? [a]\n: b", "1:3", "a key must be a word"},
  };
  check_refused(rows);
}

TEST_CASE("a number out of range, or none, is refused with the range") {
  constexpr Row rows[] = {
      {"threads: -1", "1:10", "from 0 to 256"},
      {"threads: 257", "1:10", "`257` does not fit"},
      {"threads: many", "1:10", "write a whole number"},
      {"threads: 1.5", "1:10", "write a whole number"},
      {"threads: 4294967297", "1:10", "`4294967297` does not fit"},
      {"limits:\n  allocations: 0", "2:16", "from 1 to 1000000"},
      {"bandwidth: {server: 5}", "1:21", "such as 500Mbit"},
      {"bandwidth: {server: 7bit}", "1:21", "is not a bandwidth"},
      {"bandwidth: {server: 1001Gbit}", "1:21", "up to 1000Gbit"},
      {"bandwidth: {server: 18446744073709551615Gbit}", "1:21", "is not a bandwidth"},
      {"bandwidth: {server: -1Mbit}", "1:21", "is not a bandwidth"},
      {"bandwidth: 5Mbit", "1:12", "such as `server: ...`"},
      {"limits: {channels: 4097}", "1:20", "from 1 to 4096"},
  };
  check_refused(rows);
}

TEST_CASE("a denied user is a name that a client could send") {
  const auto long_name = "denied_users: [mallory, " + std::string(509, 'x') + "]";
  const Row rows[] = {
      {"denied_users: [mallory, '']", "1:25", "this is empty"},
      {"denied_users: [\"\\x07\"]", "1:16", "characters no client can send"},
      {"denied_users: {name: mallory}", "1:15", "a single value belongs here"},
      {"denied_users: [[mallory]]", "1:16", "a single value belongs here"},
      {long_name, "1:25", "at most 508 bytes"},
      {"denied_user: [mallory]", "1:1", "denied_users"},
  };
  check_refused(rows);
}

TEST_CASE("a duration needs a number and a unit") {
  constexpr Row rows[] = {
      {"drain_timeout: 30", "1:16", "with its unit s, m, h or d"},
      {"drain_timeout: s", "1:16", "is not a duration"},
      {"drain_timeout: 30 s", "1:16", "is not a duration"},
      {"drain_timeout: -3s", "1:16", "is not a duration"},
      {"drain_timeout: 1h30m", "1:16", "is not a duration"},
      {"address_check: often", "1:16", "such as 90s or 10m, or off."},
      {"lifetimes: {longest_credential: 3651d}", "1:33", "from 1s to 3650d, or off."},
      {"lifetimes: {longest_credential: 0s}", "1:33", "from 1s to 3650d, or off."},
      {"drain_timeout: 25h", "1:16", "from 0s to 1d"},
      {"drain_timeout: 4294967295d", "1:16", "from 0s to 1d"},
      {"lifetimes: {nonce: 0s}", "1:20", "from 1s to 1d"},
  };
  check_refused(rows);
}

TEST_CASE("addresses, ranges, ports and listeners must be some") {
  constexpr Row rows[] = {
      {"listen: []", "1:9", "nothing to listen on"},
      {"listen: 3478", "1:9", "`3478` is not a listener"},
      {"listen: [udp:3478, sctp:1]", "1:20", "`sctp:1` is not a listener"},
      {"listen: udp:0", "1:9", "is not a listener"},
      {"listen: udp:65536", "1:9", "is not a listener"},
      {"listen: udp:192.0.2.1", "1:9", "is not a listener"},
      {"listen: udp:2001:db8::1:3478", "1:9", "is not a listener"},
      {"listen: [tls:5349]", "1:10", "TLS needs a certificate"},
      {"listen: tls:5349", "1:9", "TLS needs a certificate"},
      {"listen: [udp:3478, dtls:5349]", "1:20", "TLS needs a certificate"},
      {"tls: {certificate: c, key: k}\nlisten: [udp:443, dtls:443]", "2:19", "udp DTLS"},
      {"listen: [udp:1, tcp:1, udp:1]", "1:24", "taken by an earlier listener"},
      {"tls: {certificate: c, key: k}\nlisten: [tcp:443, tls:443]", "2:19", "tcp takes TLS too"},
      {"relay: {addresses: [10.0.0.256]}", "1:21", "is not an IP address"},
      {"relay: {addresses: 0.0.0.0}", "1:20", "stands for every address"},
      {"relay: {ports: 2-1}", "1:16", "is not a range of ports"},
      {"relay: {ports: 0-9}", "1:16", "is not a range of ports"},
      {"relay: {ports: a}", "1:16", "is not a range of ports"},
      {"relay: {ports: 1023-2000}", "1:16", "begin at 1024 or above"},
      {"peers: {allow: [10.0.0.1/8]}", "1:17", "no bits set behind the prefix"},
      {"peers: {deny: all}", "1:15", "is not a range of addresses"},
      {"external_address: 203.0.113.5/", "1:19", "is not an external address"},
      {"external_address: 203.0.113.5/host", "1:19", "is not an external address"},
      {"external_address: 203.0.113.5/2001:db8::1", "1:19", "mixes IPv4 and IPv6"},
      {"external_address: 203.0.113.256", "1:19", "is not an external address"},
      {"external_address: https://x", "1:19", "is not an external address"},
      {"external_address: {stun: 'a b'}", "1:26", "is not a STUN server"},
      {"external_address: {stun: 'stun.example.org:0'}", "1:26", "is not a STUN server"},
      {"external_address: {stn: x}", "1:20", "did you mean `stun`?"},
      {"external_address: {}", "1:19", "write {stun: stun.example.org:3478}"},
      {"external_address: 0.0.0.0", "1:19", "is not an external address"},
      {"metrics: 9641", "1:10", "is not an address with a port"},
      {"metrics: 127.0.0.1:0", "1:10", "is not an address with a port"},
  };
  check_refused(rows);
}

TEST_CASE("a realm or SOFTWARE that no answer can carry is refused") {  // RFC 8489 §14.9, §14.14
  const auto repeated = [](std::string_view text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  for (const std::string key : {"realm", "software"}) {
    CAPTURE(key);
    // Empty where it is accepted.
    const auto refusal_of = [&](const std::string& text) {
      std::string yaml = key;
      yaml.append(": '").append(text).append("'");
      const auto config = parse(yaml, "x");
      return config ? std::string{} : config.error().sentence;
    };
    CHECK(refusal_of(repeated("a", 127)).empty());
    CHECK(refusal_of(repeated("\U0001F600", 127)).empty());
    for (const std::string_view character : {"a", "\u00E9"}) {
      CHECK(refusal_of(repeated(character, 128)) ==
            "this is too long: at most 127 characters fit.");
    }
    CHECK(refusal_of(repeated("\U0001F600", 128)).contains("too long"));
    for (const auto* quoted : {"a\"b", "a\\b"}) {
      CHECK(refusal_of(quoted).empty() == (key == "software"));
    }
  }
}

TEST_CASE("statements that contradict each other are refused") {
  constexpr Row rows[] = {
      {"tls: {certificate: c}", "1:6", "needs its `tls.key`"},
      {"tls:\n  key: k", "2:3", "needs its `tls.certificate`"},
      {"lifetimes: {default: 2h}", "1:22", "`lifetimes.maximum` is below"},
      {"lifetimes: {default: 2h, maximum: 1h}", "1:35", "`lifetimes.maximum` is below"},
  };
  check_refused(rows);
}

TEST_CASE("words outside a setting's vocabulary are refused with the vocabulary") {
  constexpr Row rows[] = {
      {"log: {level: loud}", "1:14", "write one of debug, info, warning, error"},
      {"poller: select", "1:9", "write one of auto, epoll, io_uring"},
      {"mobility: true", "1:11", "write one of off, on"},
      {"log: {privacy: yes}", "1:16", "write one of none, truncated, full"},
      {"state_directory: here", "1:18", "begin it with `/`"},
      {"realm: \"a\\u0007b\"", "1:8", "characters no client can send"},
  };
  check_refused(rows);
}

TEST_CASE("what is not YAML, or more of it than a configuration needs, is refused") {
  constexpr Row rows[] = {
      {"realm: [a", "1:10: ", "this is not YAML"},
      {"realm: x\nlisten: [\n", "3:1: ", "this is not YAML"},
      {"realm: x\n\tlisten: y", "2:", "this is not YAML"},
      {"a: &x 1\nb: *x", "2:4", "an alias"},
      {"realm: !secret x", "1:8", "the tag `!secret`"},
      {"realm: a\n---\nrealm: b", "3:1", "a second document"},
      {"[[[[[[[[[[[[[[[[[[[[[[[[", "1:", "nested too deeply"},
  };
  for (const auto& row : rows) {
    const auto config = parse(row.text, "test.yaml");
    CAPTURE(row.text);
    REQUIRE_FALSE(config);
    const auto error = config.error().to_string();
    CAPTURE(error);
    CHECK(error.starts_with("test.yaml:" + std::string{row.place}));
    CHECK(error.find(row.sentence) != std::string::npos);
  }
  CHECK(parse(std::string(65'537, '#'), "x").error().sentence.starts_with("this is larger"));
}

TEST_CASE("what a sentence repeats is short and cannot drive a terminal") {
  const auto long_key = parse(std::string(5000, 'k') + ": x", "x").error().sentence;
  CHECK(long_key.size() < 1000);
  const auto cut = parse("\"" + std::string(59, 'k') + "\u00E9\": x", "x").error().sentence;
  CHECK(cut.starts_with("`" + std::string(59, 'k') + "...`"));
  const auto escape = parse("\"a\\e[2J\\n\": x", "x").error().sentence;
  CHECK(escape.starts_with("`a?[2J?` is not a key"));
}

TEST_CASE("thousands of openings end in a sentence, not on the stack") {
  for (const auto* opening : {"[", "{", "- ", "? ", "{a: "}) {
    CAPTURE(opening);
    std::string text;
    while (text.size() < 60'000) text += opening;
    CHECK_FALSE(parse(text, "test.yaml"));
  }
}

}  // namespace yuelao::config::refusal_test

#include "config/load.hpp"

#include <doctest/doctest.h>

#include "tests/support/temporary_directory.hpp"

namespace yuelao::config::load_test {
namespace {

using namespace std::chrono_literals;

Config good(std::string_view text) {
  auto config = parse(text, "test.yaml");
  REQUIRE_MESSAGE(config, (config ? "" : config.error().to_string()));
  return std::move(*config);
}

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

}  // namespace

TEST_CASE("nothing said means the defaults") {
  for (const auto* text : {"", "\n", "# only a comment\n", "---\n", "{}", "limits:\nusers:\n"}) {
    CAPTURE(text);
    const auto config = good(text);
    REQUIRE(config.listen.size() == 2);
    CHECK(config.listen[0].transport == Transport::udp);
    CHECK(config.listen[1].transport == Transport::tcp);
    CHECK(config.listen[1].port == 3478);
    CHECK(config.relay.first_port == 49152);  // RFC 8656 §7.2
    CHECK(config.relay.last_port == 65535);
    CHECK(config.turn.realm == "yuelao");
    CHECK(config.turn.credentials.users.empty());
    CHECK(config.turn.credentials.rest_secrets.empty());
    CHECK(config.metrics == Endpoint::parse("127.0.0.1:9641"));
    CHECK(config.log.privacy == LogPrivacy::none);
    CHECK(config.warnings.empty());
  }
}

TEST_CASE("bandwidths are in bits a second, with a unit") {
  struct Row {
    std::string_view text;
    turn::Bandwidth octets;
  };
  const Row rows[] = {{"8bit", 1},
                      {"64kbit", 8'000},
                      {"20Mbit", 2'500'000},
                      {"1Gbit", 125'000'000},
                      {"1000Gbit", 125'000'000'000},
                      {"off", turn::unlimited}};
  for (const auto& [text, octets] : rows) {
    CAPTURE(text);
    const auto config = good("bandwidth: {allocation: " + std::string{text} + "}");
    CHECK(config.turn.limits.bandwidth_per_allocation == octets);
    CHECK(config.turn.limits.bandwidth == turn::unlimited);
  }
  CHECK(good("bandwidth: {server: 1Gbit}").turn.limits.bandwidth == 125'000'000);
}

TEST_CASE("listeners name a transport, perhaps an address, and a port") {
  struct Row {
    std::string_view text;
    Transport transport;
    std::optional<IpAddress> at;
    std::uint16_t port;
  };
  const Row rows[] = {
      {"udp:3478", Transport::udp, std::nullopt, 3478},
      {"tcp:443", Transport::tcp, std::nullopt, 443},
      {"udp:192.0.2.1:65535", Transport::udp, address("192.0.2.1"), 65535},
      {"tcp:[2001:db8::1]:1", Transport::tcp, address("2001:db8::1"), 1},
      {"udp:[::ffff:192.0.2.1]:3478", Transport::udp, address("192.0.2.1"), 3478},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto config = good("listen: ['" + std::string{row.text} + "']");
    REQUIRE(config.listen.size() == 1);
    CHECK(config.listen[0].transport == row.transport);
    CHECK(config.listen[0].address == row.at);
    CHECK(config.listen[0].port == row.port);
  }
}

// RFC 7065 §3.2, RFC 7350 §4.6
TEST_CASE("a certificate adds a TLS and a DTLS listener on 5349, unless listeners are named") {
  const std::string tls = "tls: {certificate: cert.pem, key: key.pem}\n";
  const auto by_default = good(tls);
  REQUIRE(by_default.listen.size() == 4);
  CHECK(by_default.listen[2].transport == Transport::tls);
  CHECK(by_default.listen[2].port == 5349);
  CHECK(by_default.listen[3].transport == Transport::dtls);
  CHECK(by_default.listen[3].port == 5349);
  CHECK(good(tls + "listen: tcp:443").listen.size() == 1);
}

TEST_CASE("relative file names start from the configuration's directory") {
  const auto config = parse("tls: {certificate: c.pem, key: /keys/k.pem}", "/etc/yuelao/y.yaml");
  REQUIRE(config);
  CHECK(config->tls->certificate == "/etc/yuelao/c.pem");
  CHECK(config->tls->key == "/keys/k.pem");
}

TEST_CASE("an external address is public, public/own, or a host name") {
  const auto config =
      good("external_address: [203.0.113.5, 203.0.113.6/10.0.0.6, turn.example.org]");
  REQUIRE(config.external_addresses.size() == 3);
  CHECK(config.external_addresses[0].public_host == "203.0.113.5");
  CHECK_FALSE(config.external_addresses[0].bound);
  CHECK(config.external_addresses[1].bound == address("10.0.0.6"));
  CHECK(config.external_addresses[2].public_host == "turn.example.org");
  CHECK(good("external_address: 2001:db8::5").external_addresses.size() == 1);
}

TEST_CASE("a STUN server to ask has a name or an address, and a port") {
  struct Row {
    std::string_view text, host;
    std::uint16_t port;
  };
  constexpr Row rows[] = {
      {"external_address: {stun: stun.example.org}", "stun.example.org", 3478},
      {"external_address: {stun: stun.example.org:19302}", "stun.example.org", 19302},
      {"external_address: [{stun: '192.0.2.1:3479'}]", "192.0.2.1", 3479},
      {"external_address: {stun: 2001:db8::1}", "2001:db8::1", 3478},
      {"external_address: {stun: '[2001:db8::1]:3479'}", "2001:db8::1", 3479},
  };
  for (const auto& [text, host, port] : rows) {
    CAPTURE(text);
    const auto config = good(text);
    REQUIRE(config.external_addresses.size() == 1);
    REQUIRE(config.external_addresses[0].stun);
    CHECK(config.external_addresses[0].stun->host == host);
    CHECK(config.external_addresses[0].stun->port == port);
  }
  CHECK(good("address_check: off").address_check == std::chrono::seconds{0});
  CHECK(good("address_check: 5m").address_check == std::chrono::minutes{5});
}

TEST_CASE("a REST credential may last as long as the operator says, or for ever") {
  const auto longest = [](std::string_view text) {
    return good(text).turn.credentials.longest_rest_lifetime;
  };
  CHECK(longest("lifetimes: {longest_credential: 3650d}") == 24h * 3650);
  CHECK_FALSE(longest("lifetimes: {longest_credential: off}"));
}

TEST_CASE("denied users are named as they come, prepared") {
  const auto denied = [](std::string_view text) {
    return good(text).turn.credentials.denied_users;
  };
  CHECK(denied("").empty());
  CHECK(denied("denied_users: mallory") == std::vector<std::string>{"mallory"});
  CHECK(denied("denied_users: [mallory, '1735689600:eve', \"Bj\\u006F\\u0308rn\"]") ==
        std::vector<std::string>{"mallory", "1735689600:eve", "Bj\u00F6rn"});
}

TEST_CASE("behaviour discovery has addresses as clients see them and as they are here") {
  using Address = turn::BehaviorDiscovery::Address;
  const auto v4 = [](std::uint8_t last) { return IpAddress::v4({10, 0, 0, last}); };
  const auto config = parse(
      "behavior_discovery:\n"
      "  addresses: [203.0.113.5/10.0.0.5, 10.0.0.6, '2001:db8::5', '2001:db8::6']\n"
      "  ports: [13478, 13479]",
      "x");
  REQUIRE(config);
  const auto& [addresses, ports] = config->turn.behavior_discovery;
  CHECK(addresses ==
        std::vector<Address>{{IpAddress::v4({203, 0, 113, 5}), v4(5)},
                             {v4(6), v4(6)},
                             {*IpAddress::parse("2001:db8::5"), *IpAddress::parse("2001:db8::5")},
                             {*IpAddress::parse("2001:db8::6"), *IpAddress::parse("2001:db8::6")}});
  CHECK(ports == std::array<std::uint16_t, 2>{13478, 13479});
}

TEST_CASE("every other setting reaches its place") {
  const auto config = good(R"(
relay: {addresses: [10.0.0.5, 2001:db8::5], ports: 50000-50099}
realm: example.org
peers:
  mode: media-server
  allow: 10.0.0.0/24
  deny: [198.51.100.1-198.51.100.9]
  allow_ports: [5060, 5000-5999]
  deny_ports: 8443
limits:
  allocations: 1
  per_user: 2
  per_client: 3
  permissions: 4
  channels: 5
  connections: 6
  new_peers: 7
  new_peers_per_client: 8
lifetimes: {default: 90s, maximum: 2h, nonce: 5m, longest_credential: 7d}
software: yuelao test
metrics: "[::1]:9000"
log: {level: error, format: json, privacy: full}
drain_timeout: 0s
threads: 3
poller: io_uring
mobility: on
state_directory: /var/lib/elsewhere
)");
  CHECK(config.relay.addresses == std::vector{address("10.0.0.5"), address("2001:db8::5")});
  CHECK(config.relay.first_port == 50000);
  CHECK(config.relay.last_port == 50099);
  CHECK(config.turn.realm == "example.org");
  CHECK(config.turn.peers.allow.at(0).contains(address("10.0.0.255")));
  CHECK(config.turn.peers.deny.at(0).contains(address("198.51.100.9")));
  CHECK(config.turn.peers.mode == turn::PeerMode::media_server);
  CHECK(config.turn.peers.allow_ports == std::vector<PortRange>{{5060, 5060}, {5000, 5999}});
  CHECK(config.turn.peers.deny_ports == std::vector<PortRange>{{8443, 8443}});
  CHECK(config.turn.limits.new_peers_per_allocation == 7);
  CHECK(config.turn.limits.new_peers_per_prefix == 8);
  CHECK(config.turn.limits.allocations == 1);
  CHECK(config.turn.limits.allocations_per_user == 2);
  CHECK(config.turn.limits.allocations_per_prefix == 3);
  CHECK(config.turn.limits.permissions_per_allocation == 4);
  CHECK(config.turn.limits.channels_per_allocation == 5);
  CHECK(config.connections == 6);
  CHECK(config.turn.default_lifetime == 90s);
  CHECK(config.turn.maximum_lifetime == 2h);
  CHECK(config.turn.nonce_lifetime == 5min);
  CHECK(config.turn.credentials.longest_rest_lifetime == 168h);
  CHECK(config.turn.software == "yuelao test");
  CHECK(config.metrics == Endpoint::parse("[::1]:9000"));
  CHECK(config.log.level == LogLevel::error);
  CHECK(config.log.format == LogFormat::json);
  CHECK(config.log.privacy == LogPrivacy::full);
  CHECK(config.drain_timeout == 0s);
  CHECK(config.threads == 3);
  CHECK(config.poller == Poller::io_uring);
  CHECK(config.turn.mobility);
  CHECK(config.state_directory == "/var/lib/elsewhere");
}

TEST_CASE("metrics and SOFTWARE can be off") {
  CHECK_FALSE(good("metrics: off").metrics);
  CHECK_FALSE(good("software: off").turn.software);
}

TEST_CASE("what works and is worth a second look gives a warning with its place") {
  struct Row {
    std::string_view what, text, warning;
  };
  constexpr Row rows[] = {
      {"a secret one can guess", "realm: a\nsecrets:\n  - value: short\n",
       "test.yaml:3:5: this secret can be guessed"},
      {"metrics for everybody", "metrics: 0.0.0.0:9641\n", "test.yaml:1:10: metrics have no"},
      {"a listener among the relays", "relay: {ports: 3000-4000}\nlisten: [tcp:1, udp:3478]\n",
       "test.yaml:2:17: this port lies inside"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    const auto config = good(row.text);
    REQUIRE(config.warnings.size() == 1);
    CHECK(config.warnings[0].starts_with(row.warning));
  }
}

TEST_CASE("a file that is not there, or no file, is one sentence") {
  const test::TemporaryDirectory directory;
  const auto missing = load(directory.path() / "none.yaml");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().to_string().ends_with(
      "none.yaml: this cannot be read (No such file or directory): check its name and who may "
      "read it."));
  CHECK(load(directory.path()).error().sentence.starts_with("this is a directory"));
  CHECK(load(directory.write("good.yaml", "realm: example.org"))->turn.realm == "example.org");
  CHECK(load("/dev/zero").error().sentence.starts_with("this is larger than 64 KiB"));
}

}  // namespace yuelao::config::load_test

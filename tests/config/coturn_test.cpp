#include "config/coturn.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "config/load.hpp"
#include "config/turnserver_conf.hpp"

namespace yuelao::config::coturn_test {
namespace {

std::string imported(std::string_view text) {
  const auto yaml = import_coturn(text, "turnserver.conf");
  REQUIRE_MESSAGE(yaml, (yaml ? "" : yaml.error().to_string()));
  return *yaml;
}

Config config_of(std::string_view text) {
  const auto config = parse(imported(text), "turnserver.conf");
  REQUIRE_MESSAGE(config, (config ? "" : config.error().to_string()));
  return *config;
}

std::string refusal_of(std::string_view text) {
  const auto yaml = import_coturn(text, "turnserver.conf");
  REQUIRE(!yaml);
  return yaml.error().to_string();
}

bool holds(std::string_view text, std::string_view part) { return text.contains(part); }

TEST_CASE("lines are taken apart as coturn does it") {
  struct Row {
    std::string_view what;
    std::string_view line;
    std::string_view name;
    std::string_view value;
  };
  constexpr Row rows[] = {
      {"an equals sign", "realm=a", "realm", "a"},
      {"with blanks around it", "realm = a", "realm", "a"},
      {"a blank alone", "realm a b", "realm", "a b"},
      {"a name alone", "fingerprint", "fingerprint", ""},
      {"indented", " \trealm=a", "realm", "a"},
      {"quotes", "realm=\"a b\" \t", "realm", "a b"},
      {"one quote", "realm=\"a", "realm", "a"},
      {"a later hash belongs to the value", "realm=a # b", "realm", "a # b"},
      {"more equals signs", "user=a:b=c", "user", "a:b=c"},
      {"carriage returns", "realm=a\r\r", "realm", "a"},
  };
  for (const auto& [what, line, name, value] : rows) {
    CAPTURE(what);
    const auto options = read_turnserver_conf(line);
    REQUIRE(options.size() == 1);
    CHECK(options[0].name == name);
    CHECK(options[0].value == value);
  }
  CHECK(read_turnserver_conf("# realm=a\n\n  \n\t# b\r\n").empty());
}

TEST_CASE("a flag is on unless its value says no") {
  for (const auto* on : {"", "1", "yes", "true", "on"}) CHECK(coturn_flag(on));
  for (const auto* off : {"0", "no", "No", "false", "False"}) CHECK_FALSE(coturn_flag(off));
}

TEST_CASE("what both servers know is taken over") {
  const auto config = config_of(
      "listening-port=3480\ntls-listening-port=443\nlistening-ip=192.0.2.1\n"
      "listening-ip=2001:db8::1\nrelay-ip=10.0.0.5\nexternal-ip=203.0.113.5/10.0.0.5\n"
      "min-port=50000\nmax-port=50999\nrealm=example.org\nstatic-auth-secret=it''s \"one\"\n"
      "static-auth-secret=two\ncert=/etc/ssl/a.pem\npkey=/etc/ssl/a.key\n"
      "denied-peer-ip=8.8.8.0-8.8.8.255\nallowed-peer-ip=10.0.0.7\ntotal-quota=100\n"
      "user-quota=12\nstale-nonce=1200\nmax-allocate-lifetime=7200\n");
  REQUIRE(config.listen.size() == 8);
  CHECK(config.listen[0].port == 3480);
  CHECK(config.listen[1].address == IpAddress::parse("2001:db8::1"));
  CHECK(config.listen[4].transport == Transport::tls);
  CHECK(config.listen[6].transport == Transport::dtls);
  CHECK(config.listen[4].port == 443);
  CHECK(config.relay.addresses.front() == IpAddress::parse("10.0.0.5"));
  CHECK(config.relay.first_port == 50000);
  CHECK(config.relay.last_port == 50999);
  CHECK(config.external_addresses.front().public_host == "203.0.113.5");
  CHECK(config.tls->key == "/etc/ssl/a.key");
  CHECK(config.turn.realm == "example.org");
  REQUIRE(config.turn.credentials.rest_secrets.size() == 2);
  CHECK(config.turn.credentials.rest_secrets[0].reveal() == "it''s \"one\"");
  CHECK(config.turn.peers.allow.size() == 1);
  CHECK(config.turn.peers.deny.size() == 1);
  CHECK(config.turn.limits.allocations == 100);
  CHECK(config.turn.limits.allocations_per_user == 12);
  CHECK(config.turn.nonce_lifetime == std::chrono::seconds{1200});
  CHECK(config.turn.maximum_lifetime == std::chrono::seconds{7200});
}

TEST_CASE("DTLS listens where coturn's did") {
  const std::string certificate = "cert=/etc/ssl/a.pem\npkey=/etc/ssl/a.key\n";
  const auto transports = [&](const std::string& more) {
    std::string text;
    for (const auto& listen : config_of(certificate + more).listen) {
      text += std::string{name(listen.transport)} + ":" + std::to_string(listen.port) + " ";
    }
    return text;
  };
  CHECK(transports("") == "udp:3478 tcp:3478 tls:5349 dtls:5349 ");
  CHECK(transports("no-dtls") == "udp:3478 tcp:3478 tls:5349 ");
  CHECK(transports("tls-listening-port=443") == "udp:3478 tcp:3478 tls:443 dtls:443 ");
  CHECK(transports("tls-listening-port=3478") == "udp:3478 tcp:3478 ");
}

TEST_CASE("users come with their passwords, the last of two with one name") {
  const auto config = config_of("lt-cred-mech\nuser=ada:a:b\nuser=bob:x\nuser=ada:second\n");
  const auto& users = config.turn.credentials.users;
  REQUIRE(users.size() == 2);
  CHECK(users[0].name == "bob");
  CHECK(users[1].name == "ada");
  CHECK(users[1].password.reveal() == "second");
}

TEST_CASE("a key cannot become a password, and users count for nothing beside a secret") {
  const auto key = imported("user=ada:0x0123\n");
  CHECK(holds(key, "# user: NOT TAKEN OVER: a user here has a key"));
  CHECK_FALSE(holds(key, "0x0123"));
  const auto beside = imported("user=ada:pass\nuse-auth-secret\nstatic-auth-secret=secret\n");
  CHECK(holds(beside, "# user: NOT TAKEN OVER: coturn looks at no user beside a secret"));
  CHECK_FALSE(holds(beside, "pass"));
}

TEST_CASE("mobility is taken over") {
  CHECK(config_of("mobility\n").turn.mobility);
  CHECK_FALSE(config_of("mobility=no\n").turn.mobility);
  CHECK_FALSE(config_of("").turn.mobility);
}

TEST_CASE("listeners follow the flags") {
  CHECK(config_of("no-udp\n").listen.size() == 1);
  CHECK(config_of("no-tcp\nlistening-ip=0.0.0.0\nlistening-ip=::\n").listen.size() == 1);
  CHECK(config_of("no-udp=no\nlistening-ip=192.0.2.1\nlistening-ip=192.0.2.1\n").listen.size() ==
        2);
  const auto one_port = config_of("tls-listening-port=3478\ncert=/a\npkey=/b\n");
  CHECK(one_port.tls);
  CHECK(one_port.listen.size() == 2);
  CHECK_FALSE(config_of("no-tls\ncert=/a\npkey=/b\n").tls);
}

TEST_CASE("bandwidth is in octets a second there, and in bits here") {
  const auto limits = config_of("max-bps=3000000\nbps-capacity=125000000\n").turn.limits;
  CHECK(limits.bandwidth_per_allocation == 3'000'000);
  CHECK(limits.bandwidth == 125'000'000);
  CHECK(holds(imported("max-bps=3000000\n"), "bandwidth:\n  allocation: 24Mbit\n"));
  CHECK_FALSE(holds(imported("max-bps=0\nbps-capacity=0\n"), "bandwidth"));
}

TEST_CASE("each other option leaves one comment, and an unsafe one says so") {
  const auto yaml = imported(
      "no-auth\nallow-loopback-peers\nfingerprint\naux-server=1\naux-server=2\nuserdb=/x\n"
      "cli-password=hunter2\nfoo-bar=1\nserver-relay\n");
  for (const auto* part :
       {"# no-auth: UNSAFE", "# allow-loopback-peers: UNSAFE", "# server-relay: UNSAFE",
        "# fingerprint: nothing to set", "# aux-server: NOT TAKEN OVER", "# userdb: NOT TAKEN OVER",
        "# cli-password: nothing to set", "# foo-bar: NOT TAKEN OVER: no option of coturn's"}) {
    CAPTURE(part);
    CHECK(holds(yaml, part));
  }
  CHECK(yaml.find("# aux-server") == yaml.rfind("# aux-server"));
  CHECK_FALSE(holds(yaml, "hunter2"));
  CHECK(holds(yaml, "yuelao makes a secret of its own"));
}

TEST_CASE("the options of the meeting systems' guides are all known") {
  for (const auto* option : {"listening-port",
                             "tls-listening-port",
                             "listening-ip",
                             "relay-ip",
                             "external-ip",
                             "min-port",
                             "max-port",
                             "fingerprint",
                             "lt-cred-mech",
                             "user",
                             "use-auth-secret",
                             "static-auth-secret",
                             "server-name",
                             "realm",
                             "total-quota",
                             "user-quota",
                             "bps-capacity",
                             "max-bps",
                             "stale-nonce",
                             "cert",
                             "pkey",
                             "cipher-list",
                             "dh-file",
                             "no-tlsv1",
                             "no-tlsv1_1",
                             "no-cli",
                             "no-tcp",
                             "keep-address-family",
                             "no-loopback-peers",
                             "no-multicast-peers",
                             "denied-peer-ip",
                             "allowed-peer-ip",
                             "no-software-attribute",
                             "verbose",
                             "simple-log",
                             "no-stdout-log",
                             "log-file",
                             "syslog",
                             "pidfile",
                             "proc-user",
                             "proc-group"}) {
    CAPTURE(option);
    const auto yaml = import_coturn(std::string{option} + "\n", "turnserver.conf");
    CHECK((!yaml || !holds(*yaml, "that is known here")));
  }
}

TEST_CASE("a value that cannot be right is an error with its place") {
  CHECK(refusal_of("realm=a\nmin-port = abc\n").starts_with("turnserver.conf:2:12: `abc`"));
  CHECK(
      refusal_of("min-port=60000\nmax-port=50000\n").starts_with("turnserver.conf:2:10: max-port"));
  CHECK(refusal_of("min-port=1023\n").starts_with("turnserver.conf:1:10: `1023`"));
  CHECK(refusal_of("realm=a\\b\n").starts_with("turnserver.conf:1:7: a realm has neither"));
  CHECK(refusal_of("user=ada\n").starts_with("turnserver.conf:1:6: a user is written"));
  CHECK(refusal_of("denied-peer-ip=10.0.0.9-10.0.0.1").starts_with("turnserver.conf:1:16: "));
  CHECK(refusal_of("listening-ip=eth0").starts_with("turnserver.conf:1:14: `eth0`"));
  CHECK(refusal_of("static-auth-secret=\n").starts_with("turnserver.conf:1:20: this secret"));
  CHECK(refusal_of("no-udp\nno-tcp\n").starts_with("turnserver.conf:1:1: these options"));
}

}  // namespace
}  // namespace yuelao::config::coturn_test

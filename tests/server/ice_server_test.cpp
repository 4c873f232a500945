#include "server/ice_server.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "config/load.hpp"
#include "protocol/stun/credentials.hpp"

namespace yuelao::server::ice_server_test {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::sys_seconds now{1'800'000'000s};

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

// Resolved for a machine with 10.0.0.5 behind 203.0.113.5.
config::Config config(std::string_view text) {
  auto read = config::parse(text, "test.yaml");
  REQUIRE_MESSAGE(read, (read ? "" : read.error().to_string()));
  read->turn.relay_addresses = {{address("203.0.113.5"), address("10.0.0.5")}};
  return std::move(*read);
}

std::string urls(const config::Config& of) {
  std::string all;
  for (const auto& url : ice_urls(of)) all += (all.empty() ? "" : " ") + url;
  return all;
}

constexpr std::string_view secret = "secrets: [{value: 0123456789abcdef0123456789abcdef}]\n";

}  // namespace

TEST_CASE("URLs name every way in, with the address clients are told") {  // RFC 7064, RFC 7065
  struct Row {
    std::string_view what, text, urls;
  };
  constexpr Row rows[] = {
      {"the default", "",
       "stun:203.0.113.5:3478 turn:203.0.113.5:3478?transport=udp "
       "turn:203.0.113.5:3478?transport=tcp"},
      {"a certificate", "tls: {certificate: c, key: k}\nlisten: [tcp:443, tls:5349]",
       "turn:203.0.113.5:443?transport=tcp turns:203.0.113.5:5349?transport=tcp "
       "turns:203.0.113.5:443?transport=tcp"},
      {"a host name", "external_address: turn.example.org\nlisten: udp:3478",
       "stun:turn.example.org:3478 turn:turn.example.org:3478?transport=udp"},
      {"a listener on the address behind the NAT", "listen: udp:10.0.0.5:3478",
       "stun:203.0.113.5:3478 turn:203.0.113.5:3478?transport=udp"},
      {"the same behind a host name",
       "external_address: turn.example.org\nlisten: udp:10.0.0.5:3478",
       "stun:turn.example.org:3478 turn:turn.example.org:3478?transport=udp"},
      {"a listener on another address", "listen: 'tcp:[2001:db8::1]:443'",
       "turn:[2001:db8::1]:443?transport=tcp"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    CHECK(urls(config(row.text)) == row.urls);
  }
  auto dual = config("listen: udp:3478");
  dual.turn.relay_addresses.push_back({address("2001:db8::5"), address("2001:db8::5")});
  CHECK(urls(dual).find("stun:[2001:db8::5]:3478") != std::string::npos);
}

TEST_CASE("a TLS URL carries the name its certificate is for, not an address") {
  auto with = [](std::string_view text) {
    auto made = config(text);
    made.tls->host = "turn.test";
    return urls(made);
  };
  CHECK(with("tls: {certificate: c, key: k}\nlisten: tls:5349") ==
        "turns:turn.test:5349?transport=tcp");
  CHECK(with("tls: {certificate: c, key: k}\nlisten: 'tls:[2001:db8::1]:443'") ==
        "turns:turn.test:443?transport=tcp");
  CHECK(with("external_address: a.example.org\ntls: {certificate: c, key: k}\nlisten: tls:5349") ==
        "turns:a.example.org:5349?transport=tcp");
}

TEST_CASE("a REST credential carries its expiry and the first secret's password") {
  const auto server = make_ice_server(config(secret), {"alice", 1h}, now);
  REQUIRE(server);
  CHECK(server->username == "1800003600:alice");
  CHECK(server->credential.reveal() ==
        stun::rest_password("0123456789abcdef0123456789abcdef", "1800003600:alice"));
  CHECK(make_ice_server(config(secret), {}, now)->username == "1800086400:guest");
}

TEST_CASE("a static user's name gives that user's password") {
  const auto both = config(std::string{secret} + "users: [{name: bridge, password: hunter2}]");
  CHECK(make_ice_server(both, {"bridge", 1h}, now)->credential.reveal() == "hunter2");
  CHECK(make_ice_server(both, {"other", 1h}, now)->username == "1800003600:other");
  const auto static_only = config("users: [{name: bridge, password: hunter2}]");
  CHECK(make_ice_server(static_only, {}, now)->username == "bridge");
  CHECK_FALSE(make_ice_server(static_only, {"other", 1h}, now));
}

TEST_CASE("a REST credential is never a static user's password") {
  const auto both = config(std::string{secret} + "users: [{name: bridge, password: hunter2}]");
  const auto made = make_rest_credential(both.turn.credentials, "bridge", 1h, now);
  REQUIRE(made);
  CHECK(made->name == "1800003600:bridge");
  CHECK(made->password.reveal() ==
        stun::rest_password("0123456789abcdef0123456789abcdef", "1800003600:bridge"));
}

TEST_CASE("a denied user gets no credential") {
  const auto server = config(std::string{secret} +
                             "users: [{name: bridge, password: hunter2}]\n"
                             "denied_users: [bridge, mallory]");
  for (const auto* name : {"bridge", "mallory"}) {
    const auto made = make_ice_server(server, {name, 1h}, now);
    REQUIRE_FALSE(made);
    CHECK(made.error().find("out of `denied_users`") != std::string::npos);
    CHECK_FALSE(make_rest_credential(server.turn.credentials, name, 1h, now));
  }
  CHECK(make_ice_server(server, {"alice", 1h}, now));
}

TEST_CASE("a credential the server would refuse is not made") {
  CHECK(make_ice_server(config(secret), {"a", 48h}, now));
  const auto longer = make_ice_server(config(secret), {"a", 48h + 1s}, now);
  REQUIRE_FALSE(longer);
  CHECK(longer.error().find("longer than 2d") != std::string::npos);
  const auto without = config(std::string{secret} + "lifetimes: {longest_credential: off}");
  CHECK(make_ice_server(without, {"a", 48h + 1s}, now));
  CHECK_FALSE(make_ice_server(config(secret), {"a\x01", 1h}, now));
  CHECK_FALSE(make_ice_server(config(secret), {"", 1h}, now));
  CHECK(make_ice_server(config(secret), {std::string(497, 'n'), 1h}, now));
  CHECK_FALSE(make_ice_server(config(secret), {std::string(498, 'n'), 1h}, now));
}

TEST_CASE("the JSON is an RTCIceServer, whatever the name holds") {
  const auto server = make_ice_server(config(secret), {"\"}<\u00E9", 1h}, now);
  REQUIRE(server);
  const auto json = nlohmann::json::parse(to_json(*server));
  CHECK(json.size() == 3);
  CHECK(json["urls"].size() == 3);
  CHECK(json["username"] == "1800003600:\"}<\u00E9");
  CHECK(json["credential"] == server->credential.reveal());
}

}  // namespace yuelao::server::ice_server_test

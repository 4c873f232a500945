#include <doctest/doctest.h>

#include "config/load.hpp"
#include "tests/config/refused.hpp"

namespace yuelao::config::credential_service_test {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view key = "keys: [{value: 0123456789abcdef}]";

std::string section(std::string_view more) {
  return "credentials: {listen: 127.0.0.1:9642, " + std::string{key} + std::string{more} + "}";
}

}  // namespace

TEST_CASE("credentials are handed out only where the file says so") {
  CHECK_FALSE(Config{}.credentials.listen);
  const auto config = parse(section(""), "test.yaml");
  REQUIRE(config);
  CHECK(config->warnings.empty());
  const auto& service = config->credentials;
  CHECK(service.listen == Endpoint::parse("127.0.0.1:9642"));
  REQUIRE(service.keys.size() == 1);
  CHECK(service.keys[0].reveal() == "0123456789abcdef");
  CHECK(service.origins.empty());
  CHECK(service.lifetime == 24h);
  CHECK(service.rate == 600);

  const auto off = parse("credentials: {listen: off, rate: 1}", "test.yaml");
  REQUIRE(off);
  CHECK_FALSE(off->credentials.listen);
}

TEST_CASE("every setting of the credential service reaches its place") {
  const auto config = parse(
      "credentials:\n  listen: '[::1]:80'\n  keys: [{value: 0123456789abcdef}, {value: "
      "fedcba9876543210}]\n  origins: https://meet.example.org\n  lifetime: 10m\n  rate: 0\n",
      "test.yaml");
  REQUIRE_MESSAGE(config, (config ? "" : config.error().to_string()));
  const auto& service = config->credentials;
  CHECK(service.listen == Endpoint::parse("[::1]:80"));
  CHECK(service.keys.size() == 2);
  CHECK(service.origins == std::vector<std::string>{"https://meet.example.org"});
  CHECK(service.lifetime == 10min);
  CHECK(service.rate == 0);
}

TEST_CASE("an origin is what browsers send") {  // RFC 6454 §6.2
  struct Row {
    std::string_view text, origin;  // empty: refused
  };
  constexpr Row rows[] = {
      {"https://meet.example.org", "https://meet.example.org"},
      {"HTTPS://Meet.Example.org:8443", "https://meet.example.org:8443"},
      {"http://127.0.0.1:9641", "http://127.0.0.1:9641"},
      {"'http://[::1]'", "http://[::1]"},
      {"'https://[::1]:8443'", "https://[::1]:8443"},
      {"https://meet.example.org/", ""},
      {"https://meet.example.org/room", ""},
      {"https://meet.example.org:443", ""},
      {"http://meet.example.org:80", ""},
      {"'https://meet.example.org:'", ""},
      {"https://meet.example.org:0", ""},
      {"https://", ""},
      {"https://::1", ""},
      {"'https://[192.0.2.1]'", ""},
      {"ftp://meet.example.org", ""},
      {"meet.example.org", ""},
      {"'*'", ""},
      {"'null'", ""},
  };
  for (const auto& [text, origin] : rows) {
    CAPTURE(text);
    const auto config = parse(section(", origins: [" + std::string{text} + "]"), "test.yaml");
    CHECK(config.has_value() != origin.empty());
    if (config) {
      CHECK(config->credentials.origins == std::vector<std::string>{std::string{origin}});
    } else {
      CHECK(config.error().to_string().find("is not the origin of a web page") !=
            std::string::npos);
    }
  }
}

TEST_CASE("a credential service that nobody could use, or everybody, is refused") {
  const auto users_alone = "users: [{name: a, password: b}]\n" + section("");
  const auto short_credentials = "lifetimes: {longest_credential: 12h}\n" + section("");
  const auto days = section(", lifetime: 3d");
  const auto nothing = section(", lifetime: 0s");
  const test::Refused rows[] = {
      {"credentials:\n  rate: 1\n", "2:3", "needs its `listen`"},
      {"credentials:\n  listen: 127.0.0.1:1\n", "2:3", "without a key anybody gets"},
      {"credentials: {listen: '127.0.0.1:1', keys: []}", "1:44", "without a key anybody gets"},
      {"credentials: {listen: 9642}", "1:23", "write 127.0.0.1:9642, [::1]:9642 or off"},
      {"credentials: {listen: '127.0.0.1:1', keys: abc}", "1:44", "a list belongs here"},
      {"credentials: {listen: '127.0.0.1:1', keys: [{path: x}]}", "1:46",
       "of `credentials.keys`: the keys here are value, file, env."},
      {users_alone, "2:14", "there are only `users`"},
      {short_credentials, "2:14", "is above `lifetimes.longest_credential`"},
      {days, "1:84", "is above `lifetimes.longest_credential`"},
      {nothing, "1:84", "a duration from 1s"},
  };
  test::check_refused(rows);
  CHECK(
      parse("secrets: [{value: 0123456789abcdef}]\nusers: [{name: a, password: b}]\n" + section(""),
            "test.yaml"));
}

TEST_CASE("a key that can be guessed gives a warning with its place, and no error names it") {
  const auto config =
      parse("credentials: {listen: '127.0.0.1:1', keys: [{value: hunter2}]}", "test.yaml");
  REQUIRE(config);
  REQUIRE(config->warnings.size() == 1);
  CHECK(config->warnings[0].starts_with("test.yaml:1:45: this secret can be guessed"));
  CHECK(config->warnings[0].find("hunter2") == std::string::npos);
}

}  // namespace yuelao::config::credential_service_test

#include "server/credential_service.hpp"

#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "config/load.hpp"
#include "protocol/stun/credentials.hpp"
#include "server/ice_server.hpp"

namespace yuelao::server::credential_service_test {
namespace {

namespace http = boost::beast::http;
using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";
constexpr CredentialAnswers::Now now{std::chrono::steady_clock::time_point{1000s},
                                     std::chrono::sys_seconds{1'800'000'000s}};

config::Config config(std::string_view more = "") {
  auto read =
      config::parse("secrets: [{value: " + std::string{secret} +
                        "}]\nusers: [{name: bridge, password: hunter2}]\n"
                        "credentials:\n  listen: 127.0.0.1:9642\n"
                        "  keys: [{value: the-first-of-the-keys}, {value: 'a second & key'}]\n" +
                        std::string{more},
                    "test.yaml");
  REQUIRE_MESSAGE(read, (read ? "" : read.error().to_string()));
  const auto address = IpAddress::parse("203.0.113.5").value();
  read->turn.relay_addresses = {{address, address}};
  return std::move(*read);
}

HttpRequest request(std::string_view target, http::verb method = http::verb::get,
                    std::string_view body = "") {
  HttpRequest made;
  made.client = IpAddress::parse("192.0.2.7").value();
  made.message.method(method);
  made.message.target(target);
  if (!body.empty()) {
    made.message.set(http::field::content_type, "application/x-www-form-urlencoded");
    made.message.body() = body;
  }
  return made;
}

unsigned status(const config::Config& of, const HttpRequest& asked) {
  return CredentialAnswers{of}.answer(asked, now).result_int();
}

constexpr std::string_view right = "/turn/credentials?service=turn&key=the-first-of-the-keys";

}  // namespace

TEST_CASE("the answer is the draft's, field by field") {  // draft-uberti-behave-turn-rest-00 §2.2
  const auto settings = config();
  const auto response =
      CredentialAnswers{settings}.answer(request(std::string{right} + "&username=alice"), now);
  CHECK(response.result() == http::status::ok);
  CHECK(response[http::field::content_type] == "application/json; charset=utf-8");
  CHECK(response[http::field::cache_control] == "no-store");
  CHECK(response.body() == R"({"username":"1800086400:alice","password":")" +
                               stun::rest_password(secret, "1800086400:alice") +
                               R"(","ttl":86400,"uris":["turn:203.0.113.5:3478?transport=udp",)"
                               R"("turn:203.0.113.5:3478?transport=tcp"]})"
                               "\n");
}

TEST_CASE("an IPv6 address is told only those who can read it, or where there is no other") {
  auto settings = config();
  const auto ipv6 = IpAddress::parse("2001:db8::5").value();
  settings.turn.relay_addresses.push_back({ipv6, ipv6});
  CredentialAnswers answers{settings};
  const auto ask = [&](std::string_view target) {
    return answers.answer(request(target), now).body();
  };
  CHECK(ask(right).find('[' + ipv6.to_string()) == std::string::npos);
  CHECK(ask("/turn/ice-servers?key=the-first-of-the-keys").find("turn:[2001:db8::5]:3478") !=
        std::string::npos);
  settings.turn.relay_addresses.erase(settings.turn.relay_addresses.begin());
  CHECK(ask(right).find("turn:[2001:db8::5]:3478?transport=udp") != std::string::npos);
}

TEST_CASE("ice-servers is what RTCPeerConnection takes") {
  const auto settings = config();
  const auto response = CredentialAnswers{settings}.answer(
      request("/turn/ice-servers?key=the-first-of-the-keys&ttl=60"), now);
  const auto json = Json::parse(response.body());
  CHECK(json["ttl"] == 60);
  REQUIRE(json["iceServers"].size() == 1);
  const auto& server = json["iceServers"][0];
  CHECK(server["urls"] == Json(ice_urls(settings)));
  const auto username = server["username"].get<std::string>();
  CHECK(username.starts_with("1800000060:"));
  CHECK(server["credential"] == stun::rest_password(secret, username));
}

TEST_CASE("each request is answered as spreed-signaling answers it") {
  struct Row {
    std::string_view what, target;
    unsigned status;
    http::verb method = http::verb::get;
    std::string_view body{};
  };
  const Row rows[] = {
      {"key", right, 200},
      {"Janus' name of it", "/turn/credentials?service=turn&api=the-first-of-the-keys", 200},
      {"an empty key beside it", "/turn/credentials?service=turn&key=&api=the-first-of-the-keys",
       200},
      {"the second key, encoded", "/turn/credentials?service=turn&key=a+second%20%26+key", 200},
      {"the first of two", "/turn/credentials?service=turn&key=x&key=the-first-of-the-keys", 403},
      {"no query", "/turn/credentials", 400},
      {"no service", "/turn/credentials?key=the-first-of-the-keys", 400},
      {"another service", "/turn/credentials?service=stun&key=the-first-of-the-keys", 400},
      {"no key", "/turn/credentials?service=turn", 400},
      {"a wrong key", "/turn/credentials?service=turn&key=wrong", 403},
      {"the beginning of a key", "/turn/credentials?service=turn&key=the-first", 403},
      {"a broken escape", "/turn/credentials?service=turn&key=%zz", 400},
      {"another path", "/turn/credentials/?service=turn&key=the-first-of-the-keys", 404},
      {"the root", "/", 404},
      {"not a path", "http://a/turn/credentials", 400},
      {"a control character in the name",
       "/turn/ice-servers?key=the-first-of-the-keys&username=%01", 400},
      {"ttl 0", "/turn/ice-servers?key=the-first-of-the-keys&ttl=0", 400},
      {"ttl below 0", "/turn/ice-servers?key=the-first-of-the-keys&ttl=-1", 400},
      {"ttl of words", "/turn/ice-servers?key=the-first-of-the-keys&ttl=1h", 400},
      {"another service", "/turn/ice-servers?service=stun&key=the-first-of-the-keys", 400},
      {"HEAD", right, 200, http::verb::head},
      {"DELETE", right, 405, http::verb::delete_},
      {"a form", "/turn/credentials", 200, http::verb::post,
       "service=turn&key=the-first-of-the-keys"},
      {"a query and a form, as Janus", right, 200, http::verb::post, "service=turn&api=x&key=x"},
      {"a broken form", "/turn/credentials", 400, http::verb::post, "service=turn&key=%z"},
      {"content of GET", "/turn/credentials", 400, http::verb::get,
       "service=turn&key=the-first-of-the-keys"},
  };
  const auto settings = config();
  for (const auto& row : rows) {
    CAPTURE(row.what);
    CHECK(status(settings, request(row.target, row.method, row.body)) == row.status);
  }
  const auto long_name = std::string{right} + "&username=" + std::string(498, 'n');
  CHECK(status(settings, request(long_name)) == 400);
}

TEST_CASE("a name that a static user has gives nobody that user's password") {
  const auto settings = config();
  const auto response =
      CredentialAnswers{settings}.answer(request(std::string{right} + "&username=bridge"), now);
  CHECK(Json::parse(response.body())["username"] == "1800086400:bridge");
  CHECK(response.body().find("hunter2") == std::string::npos);
}

TEST_CASE("a lifetime is cut to the configured one, and nobody's name is everybody else's") {
  const auto settings = config("  lifetime: 10m\n");
  CredentialAnswers answers{settings};
  const auto ask = [&](std::string_view more) {
    return Json::parse(answers.answer(request(std::string{right} + std::string{more}), now).body());
  };
  CHECK(ask("&ttl=4000000000")["ttl"] == 600);
  CHECK(ask("&ttl=30")["ttl"] == 30);
  CHECK(ask("")["ttl"] == 600);
  CHECK(ask("")["username"] != ask("")["username"]);
}

TEST_CASE("keys, lifetime and addresses are those of the moment") {
  auto settings = config();
  CredentialAnswers answers{settings};
  CHECK(answers.answer(request(right), now).result_int() == 200);
  settings.turn.relay_addresses.front().advertised = IpAddress::parse("203.0.113.9").value();
  CHECK(answers.answer(request(right), now).body().find("turn:203.0.113.9:3478") !=
        std::string::npos);
  settings.credentials.keys = {Secret{"another-key"}};
  CHECK(answers.answer(request(right), now).result_int() == 403);
  settings.credentials.keys.clear();
  CHECK(answers.answer(request(right), now).result_int() == 403);
  settings.credentials.keys = {Secret{"the-first-of-the-keys"}};
  settings.turn.credentials.rest_secrets.clear();
  CHECK(answers.answer(request(right), now).result_int() == 503);
}

TEST_CASE("who asks too often is told when to come back, and each outcome is counted") {
  const auto settings = config("  rate: 3\n");
  CredentialAnswers answers{settings};
  answers.answer(request(right), now);
  answers.answer(request("/turn/credentials?service=turn&key=wrong"), now);
  answers.answer(request("/"), now);
  const auto refused = answers.answer(request(right), now);
  CHECK(refused.result_int() == 429);
  CHECK(refused[http::field::retry_after] == "60");
  CHECK(answers.counters() == CredentialCounters{1, 1, 1, 1, 0});
}

TEST_CASE("pages of the configured origins may read answers and refusals, others not") {
  const auto settings = config("  origins: [https://meet.example.org]\n");
  CredentialAnswers answers{settings};
  const auto allowed = [&](std::string_view origin, HttpRequest asked) {
    asked.message.set(http::field::origin, origin);
    const auto response = answers.answer(asked, now);
    CHECK(response[http::field::vary] == "Origin");
    return std::string{response[http::field::access_control_allow_origin]};
  };
  CHECK(allowed("https://meet.example.org", request(right)) == "https://meet.example.org");
  CHECK(allowed("https://meet.example.org", request("/turn/credentials")) ==
        "https://meet.example.org");
  CHECK(allowed("https://meet.example.org.evil", request(right)).empty());
  CHECK(allowed("null", request(right)).empty());

  auto preflight = request(right, http::verb::options);
  preflight.message.set(http::field::origin, "https://meet.example.org");
  const auto response = answers.answer(preflight, now);
  CHECK(response.result_int() == 204);
  CHECK(response[http::field::access_control_allow_methods] == "GET, POST");
  const auto closed = config();
  auto asked = request(right);
  asked.message.set(http::field::origin, "https://meet.example.org");
  CHECK(CredentialAnswers{closed}.answer(asked, now)[http::field::access_control_allow_origin] ==
        "");
}

}  // namespace yuelao::server::credential_service_test

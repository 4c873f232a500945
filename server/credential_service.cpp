#include "server/credential_service.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "protocol/stun/credentials.hpp"
#include "server/credential_query.hpp"
#include "server/ice_server.hpp"
#include "server/random.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using turn::StaticUser;

constexpr std::string_view credentials_path = "/turn/credentials";
constexpr std::string_view ice_servers_path = "/turn/ice-servers";

// A web server in front keeps connections open, and so do browsers for a moment.
constexpr HttpOptions bounds{.purpose = "for credentials",
                             .setting = "credentials.listen",
                             .connections = 128,
                             .body_bytes = 4096,
                             .idle = std::chrono::seconds{15}};

// So that everybody who names nobody is somebody else.
std::string anybody() {
  std::array<std::byte, 12> random{};
  SystemRandom{}.fill(random);
  return stun::base64(random);
}

// How long the credential shall be valid: what was asked for, up to `longest`.
std::optional<std::chrono::seconds> lifetime(std::string_view asked, std::chrono::seconds longest) {
  if (asked.empty()) return longest;
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(asked.data(), asked.data() + asked.size(), seconds);
  if (error != std::errc{} || end != asked.data() + asked.size() || seconds == 0) {
    return std::nullopt;
  }
  return std::min(std::chrono::seconds{seconds}, longest);
}

HttpResponse json_response(const nlohmann::ordered_json& json) {
  return http_response(http::status::ok, json.dump() + "\n", "application/json; charset=utf-8");
}

// draft-uberti-behave-turn-rest-00 §2.2: `uris` are TURN's alone, and Janus warns of others.
// It takes everything up to the first colon for the host and, as of 1.1.2, crashes when that
// cannot be looked up: an IPv6 address is named only where there is nothing else.
std::vector<std::string> turn_uris(std::vector<std::string> urls) {
  const auto ipv6 = [](const std::string& url) { return url.contains('['); };
  std::erase_if(urls, [](const std::string& url) { return url.starts_with("stun:"); });
  if (!std::ranges::all_of(urls, ipv6)) std::erase_if(urls, ipv6);
  return urls;
}

HttpResponse credentials(const StaticUser& user, const std::vector<std::string>& uris,
                         std::chrono::seconds ttl) {
  nlohmann::ordered_json json;
  json["username"] = user.name;
  json["password"] = user.password.reveal();
  json["ttl"] = ttl.count();
  json["uris"] = uris;
  return json_response(json);
}

// What `new RTCPeerConnection()` takes, and Jitsi's `preCallTestICEUrl` is to give.
HttpResponse ice_servers(const StaticUser& user, const std::vector<std::string>& urls,
                         std::chrono::seconds ttl) {
  nlohmann::ordered_json server;
  server["urls"] = urls;
  server["username"] = user.name;
  server["credential"] = user.password.reveal();
  nlohmann::ordered_json json;
  json["iceServers"] = nlohmann::ordered_json::array({server});
  json["ttl"] = ttl.count();
  return json_response(json);
}

HttpResponse too_many(std::chrono::seconds wait) {
  auto response = http_response(http::status::too_many_requests, "too many requests\n");
  response.set(http::field::retry_after, std::to_string(wait.count()));
  return response;
}

// CORS: pages of the configured origins may read the answer, refusals too.
void open_to_pages(const HttpRequest& request, const std::vector<std::string>& origins,
                   HttpResponse& response) {
  if (origins.empty()) return;
  response.set(http::field::vary, "Origin");
  const std::string_view origin = request.message[http::field::origin];
  if (std::ranges::find(origins, origin) == origins.end()) return;
  response.set(http::field::access_control_allow_origin, origin);
  if (request.message.method() != http::verb::options) return;
  response.set(http::field::access_control_allow_methods, "GET, POST");
  response.set(http::field::access_control_allow_headers, "Content-Type");
  response.set(http::field::access_control_max_age, "600");
}

HttpResponse only_methods(http::verb method) {
  const bool asked = method == http::verb::options;
  auto response = asked ? http_response(http::status::no_content, "")
                        : http_response(http::status::method_not_allowed, "GET or POST\n");
  response.set(http::field::allow, "GET, HEAD, POST, OPTIONS");
  return response;
}

bool serves(http::verb method) {
  return method == http::verb::get || method == http::verb::head || method == http::verb::post;
}

}  // namespace

HttpResponse CredentialAnswers::count(CredentialOutcome outcome, HttpResponse response) {
  ++counters_[std::to_underlying(outcome)];
  return response;
}

// Every key is looked at, each in constant time (protocol/secret.hpp).
bool CredentialAnswers::knows(const Secret& key) const {
  bool known = false;
  for (const auto& one : config_.credentials.keys) known = (one == key) || known;
  return known;
}

HttpResponse CredentialAnswers::answer(const HttpRequest& request, Now now) {
  auto response = decide(request, now);
  open_to_pages(request, config_.credentials.origins, response);
  return response;
}

HttpResponse CredentialAnswers::decide(const HttpRequest& request, Now now) {
  using enum CredentialOutcome;
  const auto& settings = config_.credentials;
  if (!limit_.admits(request.client, settings.rate, now.steady)) {
    return count(too_many, server::too_many(limit_.wait(now.steady)));
  }
  const auto refuse = [this](http::status status, std::string sentence) {
    return count(misunderstood, http_response(status, std::move(sentence) + "\n"));
  };
  const auto query = read_credential_query(request.message);
  if (!query) return refuse(http::status::bad_request, "not a query");
  const bool draft = query->path == credentials_path;
  if (!draft && query->path != ice_servers_path) {
    return refuse(http::status::not_found, "try /turn/credentials or /turn/ice-servers");
  }
  if (!serves(request.message.method())) return only_methods(request.message.method());
  if (draft ? query->service != "turn" : !query->service.empty() && query->service != "turn") {
    return refuse(http::status::bad_request, "service=turn is missing");
  }
  if (query->key.empty()) return refuse(http::status::bad_request, "key= or api= is missing");
  if (!knows(query->key)) {
    return count(wrong_key, http_response(http::status::forbidden, "not one of the keys\n"));
  }
  const auto ttl = lifetime(query->ttl, settings.lifetime);
  if (!ttl) return refuse(http::status::bad_request, "ttl= is a number of seconds above 0");
  const auto& server = config_.turn.credentials;
  if (server.rest_secrets.empty()) {
    return count(failed, http_response(http::status::service_unavailable, "no secret\n"));
  }
  const auto user = make_rest_credential(
      server, query->username.empty() ? anybody() : query->username, *ttl, now.wall);
  if (!user) return refuse(http::status::bad_request, user.error());
  return count(issued, draft ? credentials(*user, turn_uris(ice_urls(config_)), *ttl)
                             : ice_servers(*user, ice_urls(config_), *ttl));
}

CredentialService::CredentialService(asio::io_context& io, const config::Config& config)
    : answers_{std::make_shared<CredentialAnswers>(config)},
      listener_{io, *config.credentials.listen, bounds,
                [answers = answers_](HttpRequest request) -> asio::awaitable<HttpResponse> {
                  const CredentialAnswers::Now now{
                      std::chrono::steady_clock::now(),
                      std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())};
                  co_return answers->answer(request, now);
                }} {}

}  // namespace yuelao::server

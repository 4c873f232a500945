#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

#include "config/load.hpp"
#include "fuzz/pieces.hpp"
#include "fuzz/promise.hpp"
#include "protocol/stun/credentials.hpp"
#include "server/credential_service.hpp"
#include "server/http_exchange.hpp"

// Gives arbitrary octets to the HTTP server as a connection's, without the connection, and what
// they ask to the service that hands out credentials; checks what credential_service.hpp promises.
namespace yuelao::server {
namespace {

namespace http = boost::beast::http;
using namespace std::chrono_literals;
using fuzz::Arrivals;
using fuzz::promise;

constexpr std::string_view secret = "S3cret-of-the-server";
constexpr std::string_view password = "hunter2";
constexpr std::string_view key = "k1";
constexpr std::string_view origin = "https://a.b";
constexpr std::size_t body_bytes = 4096;
constexpr auto longest = 24h;
constexpr CredentialAnswers::Now now{std::chrono::steady_clock::time_point{1000s},
                                     std::chrono::sys_seconds{1'800'000'000s}};

const config::Config& settings() {
  static const auto made = [] {
    auto config =
        config::parse(
            "secrets: [{value: " + std::string{secret} +
                "}]\nusers: [{name: bridge, password: " + std::string{password} +
                "}]\ncredentials: {listen: 127.0.0.1:9642, keys: [{value: " + std::string{key} +
                "}], origins: [" + std::string{origin} + "], rate: 3}\n",
            "fuzz.yaml")
            .value();
    const auto address = IpAddress::parse("203.0.113.5").value();
    config.turn.relay_addresses = {{address, address}};
    return config;
  }();
  return made;
}

struct Answer {
  unsigned status = 0;
  std::string octets;

  // Who names nobody gets a name that is drawn, of one length.
  friend bool operator==(const Answer& one, const Answer& other) {
    return one.status == other.status && one.octets.size() == other.octets.size();
  }
};

std::string octets_of(http::message_generator message) {
  std::string octets;
  boost::system::error_code error;
  while (!message.is_done()) {
    const auto buffers = message.prepare(error);
    promise(!error, "an answer can be written");
    std::size_t size = 0;
    for (const boost::asio::const_buffer& buffer : buffers) {
      octets.append(static_cast<const char*>(buffer.data()), buffer.size());
      size += buffer.size();
    }
    message.consume(size);
  }
  return octets;
}

// "%2B" and "+" read as what they stand for, as often as anybody might.
std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned octet = 0;
    const auto digits = text.substr(i, 3);
    const bool escaped =
        digits.size() == 3 && digits[0] == '%' &&
        std::from_chars(digits.data() + 1, digits.data() + 3, octet, 16).ptr == digits.data() + 3;
    plain += escaped ? static_cast<char>(octet) : text[i] == '+' ? ' ' : text[i];
    i += escaped ? 2 : 0;
  }
  return plain;
}

// The answer is one of HTTP's, and says nothing that its parts were not asked to.
http::response<http::string_body> reread(const std::string& octets, bool head) {
  http::response_parser<http::string_body> parser;
  parser.skip(head);
  parser.eager(true);
  boost::system::error_code error;
  const auto size = parser.put(boost::asio::buffer(octets), error);
  promise(!error && parser.is_done() && size == octets.size(), "an answer is one message of HTTP");
  constexpr std::array ours{http::field::content_type,
                            http::field::cache_control,
                            http::field::content_length,
                            http::field::connection,
                            http::field::allow,
                            http::field::retry_after,
                            http::field::vary,
                            http::field::access_control_allow_origin,
                            http::field::access_control_allow_methods,
                            http::field::access_control_allow_headers,
                            http::field::access_control_max_age};
  for (const auto& field : parser.get()) {
    promise(std::ranges::count(ours, field.name()) == 1, "an answer has no fields but ours");
  }
  return parser.release();
}

void check_credential(const nlohmann::json& answer) {
  const bool draft = answer.contains("password");
  const auto& server = draft ? answer : answer.at("iceServers").at(0);
  const std::string name = server.at("username");
  promise(server.at(draft ? "password" : "credential") == stun::rest_password(secret, name),
          "a password is its name's");
  const auto ttl = answer.at("ttl").get<std::int64_t>();
  promise(ttl > 0 && std::chrono::seconds{ttl} <= longest, "a credential ends when it is to");
  const auto expiry = now.wall.time_since_epoch().count() + ttl;
  promise(name.starts_with(std::to_string(expiry) + ":"), "it ends when it says so");
}

void check(const Answer& answer, const HttpRequest& request, bool head) {
  constexpr std::array<unsigned, 8> known{200, 204, 400, 403, 404, 405, 429, 503};
  promise(std::ranges::count(known, answer.status) == 1, "an answer is one of those there are");
  promise(answer.octets.size() < 16384, "an answer is bounded");
  const auto response = reread(answer.octets, head);
  promise(!head || response.body().empty(), "HEAD is answered without content");
  const auto allowed = response.find(http::field::access_control_allow_origin);
  promise(allowed == response.end() || allowed->value() == origin, "only our pages may read it");

  const auto asked = decoded(request.message.target()) + decoded(request.message.body());
  const auto tells = [&](std::string_view what) {
    return answer.octets.contains(what) && !asked.contains(what);
  };
  promise(!tells(secret) && !tells(password), "no answer has a secret of the server's");
  const bool granted = answer.status == 200;
  promise(!granted || asked.contains(key), "who has no key gets no credential");
  if (granted && !head) check_credential(nlohmann::json::parse(response.body()));
}

// What a client sends on one connection, as it arrives.
class Arriving {
 public:
  Arriving(Bytes stream, Arrivals arrivals) : stream_{stream}, arrivals_{arrivals} {}

  // Reads one request's header, as Beast does off a socket, or all of it.
  boost::system::error_code read_header(HttpParser& parser) { return read(parser, false); }
  boost::system::error_code read(HttpParser& parser) { return read(parser, true); }

 private:
  boost::system::error_code read(HttpParser& parser, bool whole) {
    parser.eager(whole);
    while (true) {
      boost::system::error_code error;
      if (done(parser)) return error;
      if (feed(parser, error)) return error;
      if (!arrivals_.more()) break;
      arrived_ = arrivals_.next();
    }
    boost::system::error_code error = http::error::end_of_stream;
    if (parser.got_some()) parser.put_eof(error);
    return error;
  }

  // Whether what is to be read is.
  static bool done(const HttpParser& parser) {
    return parser.eager() ? parser.is_done() : parser.is_header_done();
  }
  // Whether it is, or is wrong.
  bool feed(HttpParser& parser, boost::system::error_code& error) {
    while (consumed_ < arrived_) {
      const auto there = stream_.first(arrived_).subspan(consumed_);
      const auto size = parser.put(boost::asio::buffer(there.data(), there.size()), error);
      consumed_ += size;
      if (error == http::error::need_more) return false;
      if (error || done(parser)) return true;
      promise(size > 0, "a parser that goes on has taken something");
    }
    return false;
  }

  Bytes stream_;
  Arrivals arrivals_;
  std::size_t arrived_ = 0;
  std::size_t consumed_ = 0;
};

void check_refusal(const Answer& answer) {
  constexpr std::array<unsigned, 4> known{400, 411, 413, 431};
  promise(std::ranges::count(known, answer.status) == 1, "a refusal is one of those there are");
  promise(reread(answer.octets, false).keep_alive() == false, "a refusal ends the connection");
}

// Every answer to a request that was understood, on one connection.
std::vector<Answer> answers_to(Arriving arriving) {
  std::vector<Answer> answers;
  CredentialAnswers service{settings()};
  for (bool lasts = true; lasts;) {
    HttpParser parser;
    bound(parser, body_bytes);
    auto error = arriving.read_header(parser);
    auto response = error ? http_refusal(error) : http_refusal(parser);
    if (!error && !response) {
      error = arriving.read(parser);
      if (error) response = http_refusal(error);
    }
    if (error && !response) break;
    const bool refused = response.has_value();
    const auto asked = refused ? HttpAsked{} : asked_by(parser);
    HttpRequest request{refused ? HttpParser{}.release() : parser.release(), {}};
    if (!refused) response = service.answer(request, now);
    const auto status = response->result_int();
    auto reply = http_reply(*std::move(response), asked);
    lasts = reply.lasts;
    answers.push_back({status, octets_of(std::move(reply.message))});
    if (refused) {
      check_refusal(answers.back());
      // In pieces Beast may wait for the end of what it refuses at once as a whole.
      answers.pop_back();
      break;
    }
    check(answers.back(), request, asked.head);
  }
  return answers;
}

}  // namespace
}  // namespace yuelao::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace yuelao;
  using server::Arrivals;
  if (size == 0) return 0;
  const Bytes stream = std::as_bytes(std::span{data, size}).subspan(1);
  const auto whole =
      server::answers_to({stream, {stream.size(), Arrivals::Cut::anywhere, 0, stream.size()}});
  const auto pieces =
      server::answers_to({stream, {stream.size(), Arrivals::Cut::anywhere, data[0]}});
  // Beast holds first line and fields to the limit each by itself where both are there at once.
  const bool limited = stream.size() >= server::http_header_limit_bytes;
  fuzz::promise(limited || whole == pieces, "a request means the same in pieces");
  return 0;
}

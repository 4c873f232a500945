#include "server/admin.hpp"

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "server/start_error.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

// A shard's round takes milliseconds; one that needs longer than this is stuck.
constexpr auto answer_bound = 2s;
// For a request to arrive, or an answer to leave, once it has begun.
constexpr auto transfer_bound = 10s;
// Between requests: longer than the scrape intervals in use, so that connections last.
constexpr auto idle_bound = 75s;
// Prometheus, a load balancer and a person; more is a mistake, and takes descriptors
// from calls.
constexpr std::size_t connection_limit = 16;
constexpr std::size_t header_limit_bytes = 8192;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

using Stream = beast::tcp_stream;
using Request = http::request_parser<http::empty_body>;
using Response = http::response<http::string_body>;

Response respond(http::status status, std::string body,
                 std::string_view type = "text/plain; charset=utf-8") {
  Response response{status, 11};
  response.set(http::field::content_type, type);
  response.set(http::field::cache_control, "no-store");
  response.body() = std::move(body);
  return response;
}

// What to answer before closing; empty where nobody is listening any more.
std::optional<Response> refuse(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return respond(http::status::request_header_fields_too_large, "header too large\n");
  }
  if (error == http::error::body_limit || error == http::error::unexpected_body) {
    return respond(http::status::payload_too_large, "no body expected\n");
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) {
    return std::nullopt;
  }
  // Whatever else HTTP has to say is about malformed input; the rest is the network's.
  if (error.category() != make_error_code(http::error::bad_version).category()) {
    return std::nullopt;
  }
  return respond(http::status::bad_request, "not understood\n");
}

// The way of an answer back to the listener's thread. A shard may answer after the
// listener is gone, and with it the io_context.
struct WayBack {
  std::mutex mutex;
  asio::io_context* io;  // null once the listener is gone
};

// One question to all shards, owned by the request that waits for it.
struct Answer {
  explicit Answer(asio::io_context& io) : deadline{io, answer_bound} {}

  asio::steady_timer deadline;
  std::optional<std::vector<ShardSnapshot>> shards;
};

}  // namespace

struct Admin::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, Sources from)
      : io{context}, acceptor{context}, pause{context}, sources{std::move(from)} {
    way_back->io = &io;
  }

  void listen(const Endpoint& at);
  void close();

  asio::awaitable<void> accept();
  asio::awaitable<void> serve(std::shared_ptr<Stream> stream);
  asio::awaitable<bool> exchange(Stream& stream, beast::flat_buffer& buffer);
  asio::awaitable<Response> answer(http::verb method, std::string target);
  asio::awaitable<std::optional<std::vector<ShardSnapshot>>> ask_shards();

  asio::io_context& io;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  Sources sources;
  std::shared_ptr<WayBack> way_back = std::make_shared<WayBack>();
  std::unordered_set<std::shared_ptr<Stream>> connections;
};

void Admin::State::listen(const Endpoint& at) {
  error_code error;
  const tcp::endpoint endpoint{asio::ip::make_address(at.address.to_string()), at.port};
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address{true}, error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) return;
  throw StartError{
      "cannot listen on " + at.to_string() + " for metrics: " + error.message() +
      "; set `metrics` to an address and port of this machine that is free, or to off"};
}

void Admin::State::close() {
  {
    const std::lock_guard lock{way_back->mutex};
    way_back->io = nullptr;
  }
  error_code ignored;
  acceptor.close(ignored);
  pause.cancel();
  for (const auto& stream : connections) stream->close();
}

asio::awaitable<void> Admin::State::accept() {
  const auto self = shared_from_this();
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(as_result);
    if (!acceptor.is_open()) co_return;
    if (error) {
      // No descriptor left, most likely: the connection keeps waiting, and trying again
      // at once would take the whole core.
      pause.expires_after(1s);
      co_await pause.async_wait(as_result);
      continue;
    }
    if (connections.size() >= connection_limit) continue;  // closes it
    auto stream = std::make_shared<Stream>(std::move(socket));
    connections.insert(stream);
    asio::co_spawn(io, serve(std::move(stream)), asio::detached);
  }
}

asio::awaitable<void> Admin::State::serve(std::shared_ptr<Stream> stream) {
  const auto self = shared_from_this();
  beast::flat_buffer buffer{2 * header_limit_bytes};
  stream->expires_after(transfer_bound);
  while (co_await exchange(*stream, buffer)) stream->expires_after(idle_bound);
  error_code ignored;
  stream->socket().shutdown(tcp::socket::shutdown_send, ignored);
  connections.erase(stream);
}

// One request and its answer. True when the connection may carry another.
asio::awaitable<bool> Admin::State::exchange(Stream& stream, beast::flat_buffer& buffer) {
  Request request;
  request.header_limit(header_limit_bytes);
  request.body_limit(0);
  const auto [error, size] = co_await http::async_read(stream, buffer, request, as_result);
  std::optional<Response> response;
  if (error) {
    response = refuse(error);
    if (!response) co_return false;
  } else {
    response = co_await answer(request.get().method(), std::string{request.get().target()});
  }
  response->keep_alive(!error && request.get().keep_alive());
  response->prepare_payload();
  const bool lasts = response->keep_alive();

  // RFC 9110 §9.3.2: HEAD's answer has GET's fields and no content.
  const bool head = !error && request.get().method() == http::verb::head;
  http::message_generator message =
      head ? http::message_generator{http::response<http::empty_body>{std::move(response->base())}}
           : http::message_generator{*std::move(response)};
  stream.expires_after(transfer_bound);
  const auto [failed, sent] = co_await beast::async_write(stream, std::move(message), as_result);
  co_return lasts && !failed;
}

asio::awaitable<Response> Admin::State::answer(http::verb method, std::string target) {
  if (method != http::verb::get && method != http::verb::head) {
    auto response = respond(http::status::method_not_allowed, "GET or HEAD\n");
    response.set(http::field::allow, "GET, HEAD");
    co_return response;
  }
  const auto path = target.substr(0, target.find('?'));
  if (path == "/readyz") {
    co_return sources.ready() ? respond(http::status::ok, "ready\n")
                              : respond(http::status::service_unavailable, "not ready\n");
  }
  if (path != "/metrics" && path != "/healthz") {
    co_return respond(http::status::not_found, "try /metrics, /healthz or /readyz\n");
  }
  const auto shards = co_await ask_shards();
  if (!shards) {
    co_return respond(http::status::service_unavailable, "a shard does not answer\n");
  }
  if (path == "/healthz") co_return respond(http::status::ok, "ok\n");
  co_return respond(http::status::ok, metrics_text(*shards, sources.facts()),
                    "text/plain; version=0.0.4; charset=utf-8");
}

asio::awaitable<std::optional<std::vector<ShardSnapshot>>> Admin::State::ask_shards() {
  const auto answer = std::make_shared<Answer>(io);
  sources.collect(
      [way = way_back, weak = std::weak_ptr{answer}](std::vector<ShardSnapshot> shards) {
        const std::lock_guard lock{way->mutex};
        if (way->io == nullptr) return;
        asio::post(*way->io, [weak, shards = std::move(shards)]() mutable {
          const auto waiting = weak.lock();
          if (!waiting) return;
          waiting->shards = std::move(shards);
          waiting->deadline.cancel();
        });
      });
  co_await answer->deadline.async_wait(as_result);
  co_return std::move(answer->shards);
}

Admin::Admin(asio::io_context& io, const Endpoint& at, Sources sources)
    : state_{std::make_shared<State>(io, std::move(sources))} {
  state_->listen(at);
  asio::co_spawn(io, state_->accept(), asio::detached);
}

Admin::~Admin() { state_->close(); }

Endpoint Admin::endpoint() const {
  const auto local = state_->acceptor.local_endpoint();
  return {*IpAddress::parse(local.address().to_string()), local.port()};
}

}  // namespace yuelao::server

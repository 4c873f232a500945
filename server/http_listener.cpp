#include "server/http_listener.hpp"

#include <optional>
#include <tuple>
#include <unordered_set>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "server/as_result.hpp"
#include "server/start_error.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

using Stream = beast::tcp_stream;

IpAddress client_of(const Stream& stream) {
  error_code error;
  const auto remote = stream.socket().remote_endpoint(error);
  if (error) return {};
  return IpAddress::parse(remote.address().to_string()).value_or(IpAddress{});
}

}  // namespace

struct HttpListener::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, HttpOptions bounds, HttpHandler answers)
      : io{context},
        acceptor{context},
        pause{context},
        options{bounds},
        handler{std::move(answers)} {}

  void listen(const Endpoint& at);
  void close();

  asio::awaitable<void> accept();
  asio::awaitable<void> serve(std::shared_ptr<Stream> stream);
  asio::awaitable<bool> exchange(Stream& stream, beast::flat_buffer& buffer);

  asio::io_context& io;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  HttpOptions options;
  HttpHandler handler;
  std::unordered_set<std::shared_ptr<Stream>> connections;
};

void HttpListener::State::listen(const Endpoint& at) {
  error_code error;
  const tcp::endpoint endpoint{asio::ip::make_address(at.address.to_string()), at.port};
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address{true}, error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) return;
  throw StartError{"cannot listen on " + at.to_string() + " " + std::string{options.purpose} +
                   ": " + error.message() + "; set `" + std::string{options.setting} +
                   "` to an address and port of this machine that is free, or to off"};
}

void HttpListener::State::close() {
  error_code ignored;
  acceptor.close(ignored);
  pause.cancel();
  for (const auto& stream : connections) stream->close();
}

asio::awaitable<void> HttpListener::State::accept() {
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
    if (connections.size() >= options.connections) continue;  // closes it
    auto stream = std::make_shared<Stream>(std::move(socket));
    connections.insert(stream);
    asio::co_spawn(io, serve(std::move(stream)), asio::detached);
  }
}

asio::awaitable<void> HttpListener::State::serve(std::shared_ptr<Stream> stream) {
  const auto self = shared_from_this();
  beast::flat_buffer buffer{2 * http_header_limit_bytes};
  stream->expires_after(options.transfer);
  while (co_await exchange(*stream, buffer)) stream->expires_after(options.idle);
  error_code ignored;
  stream->socket().shutdown(tcp::socket::shutdown_send, ignored);
  connections.erase(stream);
}

// One request and its answer. True when the connection may carry another.
asio::awaitable<bool> HttpListener::State::exchange(Stream& stream, beast::flat_buffer& buffer) {
  HttpParser parser;
  bound(parser, options.body_bytes);
  auto [error, size] = co_await http::async_read_header(stream, buffer, parser, as_result);
  HttpAsked asked;
  auto response = error ? std::nullopt : http_refusal(parser);
  if (!error && !response) {
    std::tie(error, size) = co_await http::async_read(stream, buffer, parser, as_result);
  }
  if (error) {
    response = http_refusal(error);
    if (!response) co_return false;
  } else if (!response) {
    asked = asked_by(parser);
    HttpRequest request{parser.release(), client_of(stream)};
    response = co_await handler(std::move(request));
  }
  auto [message, lasts] = http_reply(*std::move(response), asked);
  stream.expires_after(options.transfer);
  const auto [failed, sent] = co_await beast::async_write(stream, std::move(message), as_result);
  co_return lasts && !failed;
}

HttpListener::HttpListener(asio::io_context& io, const Endpoint& at, HttpOptions options,
                           HttpHandler handler)
    : state_{std::make_shared<State>(io, options, std::move(handler))} {
  state_->listen(at);
  asio::co_spawn(io, state_->accept(), asio::detached);
}

HttpListener::~HttpListener() { state_->close(); }

Endpoint HttpListener::endpoint() const {
  const auto local = state_->acceptor.local_endpoint();
  return {*IpAddress::parse(local.address().to_string()), local.port()};
}

}  // namespace yuelao::server

#include "server/tunnel.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>

#include "protocol/edge/proxy_header.hpp"
#include "server/as_result.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;
using namespace std::chrono_literals;

constexpr std::size_t buffer_bytes = std::size_t{16} * 1024;
constexpr auto connect_time = 5s;
// A WebSocket may be silent for long; the web server has its own idea of how long.
constexpr auto longest_silence = 1h;
constexpr auto half_open_time = 60s;

SteadyTime from_now(std::chrono::seconds time) { return std::chrono::steady_clock::now() + time; }

// Who vanished without a word is noticed in two minutes, silent as the connection may be.
void keep_alive(asio::ip::tcp::socket& socket) {
  Error ignored;
  socket.set_option(asio::socket_base::keep_alive{true}, ignored);
  socket.set_option(asio::ip::tcp::no_delay{true}, ignored);
  const auto set = [&socket](int option, int value) {
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_KEEPIDLE, 60);
  set(TCP_KEEPINTVL, 15);
  set(TCP_KEEPCNT, 4);
  set(TCP_USER_TIMEOUT, 120'000);
}

// What goes to the web server before all else.
std::vector<std::byte> first_octets(FrontDoor::WebVisit& visit) {
  auto received = std::move(visit.received);
  if (visit.announcement == config::ProxyProtocol::off) return received;
  const auto& tuple = visit.tuple;
  edge::ComposedProxyHeader room;
  const auto header = edge::compose_proxy_header({tuple.client, tuple.server}, room);
  received.insert(received.begin(), header.begin(), header.end());
  return received;
}

}  // namespace

Tunnel::Tunnel(asio::io_context& io, FrontDoor::WebVisit visit, Ended ended)
    : deadline{from_now(connect_time)},
      io_{io},
      client_{std::move(visit.client)},
      first_{first_octets(visit)},
      to_{visit.to},
      server_{io},
      ended_{std::move(ended)} {}

void Tunnel::start() { asio::co_spawn(io_, run(), asio::detached); }

void Tunnel::close() {
  closed_ = true;
  client_->close();
  Error ignored;
  server_.close(ignored);
}

asio::awaitable<void> Tunnel::run() {
  const auto self = shared_from_this();
  const bool connected = co_await connect();
  if (closed_) co_return;
  if (!connected) {
    end(Ending::unreachable);
    co_return;
  }
  asio::co_spawn(io_, pump_to_server(), asio::detached);
  asio::co_spawn(io_, pump_to_client(), asio::detached);
}

asio::awaitable<bool> Tunnel::connect() {
  const asio::ip::tcp::endpoint to{asio::ip::make_address(to_.address.to_string()), to_.port};
  const auto [refused] = co_await server_.async_connect(to, as_result);
  if (refused || closed_) co_return false;
  keep_alive(client_->socket());
  keep_alive(server_);
  deadline = from_now(longest_silence);
  const auto [error, size] = co_await asio::async_write(server_, asio::buffer(first_), as_result);
  first_ = {};
  co_return !error;
}

// A reset is passed on as what it is: the end of everything.
asio::awaitable<void> Tunnel::pump_to_server() {
  const auto self = shared_from_this();
  std::vector<std::byte> buffer(buffer_bytes);
  while (!closed_) {
    const auto [ended, size] = co_await client_->read_some(buffer);
    if (closed_) co_return;
    if (ended && ended != asio::error::eof) co_return end(Ending::done);
    if (ended) break;
    const auto [error, written] =
        co_await asio::async_write(server_, asio::buffer(buffer, size), as_result);
    if (closed_) co_return;
    if (error) co_return end(Ending::done);
    on_moved();
  }
  Error ignored;
  server_.shutdown(Socket::shutdown_send, ignored);
  one_way_ended();
}

asio::awaitable<void> Tunnel::pump_to_client() {
  const auto self = shared_from_this();
  std::vector<std::byte> buffer(buffer_bytes);
  while (!closed_) {
    const auto [ended, size] = co_await server_.async_read_some(asio::buffer(buffer), as_result);
    if (closed_) co_return;
    if (ended && ended != asio::error::eof) co_return end(Ending::done);
    if (ended) break;
    const auto error = co_await client_->write(Bytes{buffer}.first(size));
    if (closed_) co_return;
    if (error) co_return end(Ending::done);
    on_moved();
  }
  co_await client_->say_goodbye();
  if (!closed_) one_way_ended();
}

void Tunnel::on_moved() {
  deadline = from_now(ways_open_ == 2 ? std::chrono::seconds{longest_silence} : half_open_time);
}

void Tunnel::one_way_ended() {
  --ways_open_;
  deadline = from_now(half_open_time);
  if (ways_open_ == 0) end(Ending::done);
}

void Tunnel::end(Ending ending) {
  if (!closed_) ended_(*this, ending);
}

}  // namespace yuelao::server

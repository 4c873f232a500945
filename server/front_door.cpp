#include "server/front_door.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <new>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "protocol/edge/proxy_header.hpp"
#include "server/as_result.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;
using Socket = Connection::Socket;

// What is read at once; a browser's ClientHello is half of it.
constexpr std::size_t piece_bytes = std::size_t{4} * 1024;
// RFC 8446 §5.1: the content type of a handshake record. TURN's first octets are
// others (RFC 7983 §7).
constexpr std::byte tls_handshake{0x16};
// RFC 8489 §5: the two most significant bits of STUN are zero, and of its first octet the
// next four as well (RFC 7983 §7). Nothing that a web server knows begins so.
constexpr std::byte last_stun{0x03};

IpAddress from_asio(const asio::ip::address& address) {
  if (address.is_v4()) return IpAddress::v4(address.to_v4().to_bytes());
  return IpAddress::v6(address.to_v6().to_bytes());
}

Endpoint from_asio(const asio::ip::tcp::endpoint& endpoint) {
  return {from_asio(endpoint.address()), endpoint.port()};
}

// What the kernel may hold beyond what is on its way. Its own limit is megabytes, which
// is seconds of stale media for a client on a slow line.
constexpr int unsent_bytes = 32 * 1024;

// All of it may fail: a client that has gone fails in its first read as well.
void tune(Socket& socket) {
  Error ignored;
  socket.non_blocking(true, ignored);
  socket.set_option(asio::ip::tcp::no_delay{true}, ignored);
  socket.set_option(asio::socket_base::keep_alive{true}, ignored);
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes,
               sizeof unsent_bytes);
}

bool certified(const TlsContext& tls, const std::string& name) {
  const SSL_CTX* const context = tls.context.get();
  auto* const certificate = SSL_CTX_get0_certificate(context);
  return X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1;
}

}  // namespace

std::optional<FiveTuple> ends_of(const Socket& socket) {
  Error error;
  const auto client = socket.remote_endpoint(error);
  if (error) return std::nullopt;
  const auto server = socket.local_endpoint(error);
  if (error) return std::nullopt;
  return FiveTuple{Transport::tcp, from_asio(client), from_asio(server)};
}

FrontDoor::FrontDoor(Visitor visitor, std::shared_ptr<const StreamSettings> settings,
                     EntranceMeters& meters, Decided decided)
    : connection_{std::make_unique<Connection>(std::move(visitor.socket),
                                               std::move(visitor.place))},
      listener_{visitor.listener},
      settings_{std::move(settings)},
      meters_{meters},
      decided_{std::move(decided)},
      tuple_{visitor.tuple} {
  tune(connection_->socket());
}

void FrontDoor::open() {
  asio::co_spawn(connection_->socket().get_executor(), run(), asio::detached);
}

void FrontDoor::close() {
  closed_ = true;
  if (connection_) connection_->close();
}

asio::awaitable<void> FrontDoor::run() {
  const auto self = shared_from_this();
  auto outcome = co_await decide();
  if (!closed_) decided_(*this, std::move(outcome));
}

asio::awaitable<FrontDoor::Outcome> FrontDoor::decide() {
  if (from_proxy()) {
    const bool understood = co_await take_proxy_header();
    if (!understood) co_return Left{};
  }
  if (!settings_->tls) co_return arrival();
  if (received_.empty()) {
    const bool more = co_await read_more();
    if (!more) co_return Left{};
  }
  if (received_[0] == tls_handshake) co_return co_await decide_tls();
  if (listener_ != Transport::tls) co_return arrival();
  ++meters_.tls_handshakes_failed;
  co_return Left{};
}

asio::awaitable<FrontDoor::Outcome> FrontDoor::decide_tls() {
  if (shared()) {
    const auto way = co_await route();
    if (way == edge::Route::web) co_return visit(*settings_->web_server->tls);
  }
  const bool ended = co_await end_tls();
  if (!ended) co_return Left{};
  if (!shared()) co_return arrival();

  const bool more = co_await read_decrypted();
  if (!more) co_return Left{};
  if (received_[0] <= last_stun) co_return arrival();
  if (!settings_->web_server->plain) co_return Left{};
  co_return visit(*settings_->web_server->plain);
}

// False when there can be no header in what the proxy sent, or it has gone.
asio::awaitable<bool> FrontDoor::take_proxy_header() {
  while (true) {
    const auto header = edge::parse_proxy_header(received_);
    // A proxy that sends none is taken as it is, like any client.
    if (!header && header.error() == edge::ProxyHeaderError::not_a_header) co_return true;
    if (!header) {
      ++meters_.proxy_headers_refused;
      co_return false;
    }
    if (header->consumed > 0) {
      if (header->proxied) tuple_.client = header->proxied->source;
      received_.erase(received_.begin(),
                      received_.begin() + static_cast<std::ptrdiff_t>(header->consumed));
      co_return true;
    }
    const bool more = co_await read_more();
    if (!more) co_return false;
  }
}

// What is no ClientHello is the web server's to answer, like every oddity on its port.
asio::awaitable<edge::Route> FrontDoor::route() {
  if (!settings_->web_server->tls) co_return edge::Route::here;
  while (true) {
    const auto hello = edge::parse_client_hello(received_);
    if (!hello) co_return edge::Route::web;
    if (*hello) co_return edge::route(owner_of((*hello)->server_name), **hello);
    const bool more = co_await read_more();
    if (!more) co_return edge::Route::here;  // where the handshake fails
  }
}

asio::awaitable<bool> FrontDoor::end_tls() {
  tuple_.transport = Transport::tls;
  bool succeeded = false;
  try {
    succeeded = co_await connection_->begin_tls(settings_->tls, std::exchange(received_, {}));
  } catch (const std::bad_alloc&) {
    co_return false;  // no memory: this client's loss alone
  }
  ++(succeeded ? meters_.tls_handshakes_succeeded : meters_.tls_handshakes_failed);
  co_return succeeded;
}

asio::awaitable<bool> FrontDoor::read_decrypted() {
  received_.resize(piece_bytes);
  const auto [error, size] = co_await connection_->read_some(received_);
  received_.resize(size);
  co_return !error && size > 0;
}

// Appends what has come. False when there is no more to come, or no room for it.
asio::awaitable<bool> FrontDoor::read_more() {
  auto& socket = connection_->socket();
  while (true) {
    const auto [waited] = co_await socket.async_wait(Socket::wait_read, as_result);
    if (waited || closed_) co_return false;
    const auto before = received_.size();
    received_.resize(std::min(before + piece_bytes, edge::client_hello_limit));
    if (received_.size() == before) co_return false;
    Error error;
    const auto size =
        socket.read_some(asio::buffer(received_.data() + before, received_.size() - before), error);
    received_.resize(before + size);
    if (error == asio::error::would_block || error == asio::error::interrupted) continue;
    co_return !error;
  }
}

bool FrontDoor::from_proxy() const {
  return std::ranges::any_of(settings_->proxies, [this](const IpRange& range) {
    return range.contains(tuple_.client.address);
  });
}

bool FrontDoor::shared() const {
  return listener_ == Transport::tls && settings_->web_server.has_value();
}

edge::NameOwner FrontDoor::owner_of(const std::string& name) const {
  const auto& ours = settings_->web_server->turn_names;
  if (std::ranges::find(ours, name) != ours.end()) return edge::NameOwner::turn;
  if (name.empty() || certified(*settings_->tls, name)) return edge::NameOwner::shared;
  return edge::NameOwner::web;
}

FrontDoor::WebVisit FrontDoor::visit(const Endpoint& to) {
  return {std::move(connection_), tuple_, std::move(received_), to,
          settings_->web_server->proxy_protocol};
}

Arrival FrontDoor::arrival() { return connection_->depart(tuple_, std::move(received_)); }

}  // namespace yuelao::server

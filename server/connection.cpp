#include "server/connection.hpp"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "server/as_result.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;

// The longest record with its header and what encryption adds (RFC 8446 §5.2).
constexpr std::size_t wire_bytes = std::size_t{16} * 1024 + 256 + 5;

Connection::Error error_of(TlsSession::End end) {
  return end == TlsSession::End::closed ? Connection::Error{asio::error::eof}
                                        : Connection::Error{asio::error::connection_aborted};
}

}  // namespace

asio::awaitable<bool> Connection::begin_tls(std::shared_ptr<TlsContext> context,
                                            std::vector<std::byte> first) {
  tls_ = std::make_unique<TlsSession>(std::move(context));
  wire_ = std::move(first);
  tls_->give(wire_);
  while (true) {
    const auto state = tls_->handshake();
    // Also when it failed: the alert says why.
    const auto unsent = co_await flush();
    if (unsent || state == TlsSession::Handshake::failed) co_return false;
    if (state == TlsSession::Handshake::done) co_return true;
    const auto ended = co_await receive();
    if (ended) co_return false;
  }
}

asio::awaitable<Connection::Transfer> Connection::read_some(MutableBytes to) {
  if (!tls_) {
    const auto [error, size] =
        co_await socket_.async_read_some(asio::buffer(to.data(), to.size()), as_result);
    co_return Transfer{error, size};
  }
  while (true) {
    const auto read = tls_->read(to);
    if (!read) co_return Transfer{error_of(read.error()), 0};
    if (*read > 0) co_return Transfer{{}, *read};
    const auto ended = co_await receive();
    if (ended) co_return Transfer{ended, 0};
  }
}

asio::awaitable<Connection::Error> Connection::write(Bytes plain) {
  if (!tls_) {
    const auto [error, size] =
        co_await asio::async_write(socket_, asio::buffer(plain.data(), plain.size()), as_result);
    co_return error;
  }
  if (!tls_->write(plain)) co_return Error{asio::error::connection_aborted};
  co_return co_await flush();
}

asio::awaitable<void> Connection::say_goodbye() {
  if (tls_) {
    tls_->close();
    const auto ignored = co_await flush();
    static_cast<void>(ignored);
  }
  Error ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Connection::close() {
  Error ignored;
  socket_.close(ignored);
  place_ = {};
}

Arrival Connection::depart(const FiveTuple& tuple, std::vector<std::byte> received) {
  if (tls_) decrypt_rest(received);
  Error ignored;
  return {FileDescriptor{socket_.release(ignored)},
          std::move(tls_),
          tuple,
          std::move(received),
          {},
          std::move(place_)};
}

// The session must not look into `wire_` any more. Less than a record's worth is left.
void Connection::decrypt_rest(std::vector<std::byte>& received) {
  for (std::size_t size = received.size();;) {
    received.resize(size + wire_bytes);
    const auto read = tls_->read(MutableBytes{received}.subspan(size));
    size += read.value_or(0);
    received.resize(size);
    if (!read || *read == 0) return;
  }
}

// What the session wrote; more may be written to it meanwhile.
asio::awaitable<Connection::Error> Connection::flush() {
  const auto octets = std::exchange(tls_->output(), {});
  if (octets.empty()) co_return Error{};
  const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(octets), as_result);
  co_return error;
}

asio::awaitable<Connection::Error> Connection::receive() {
  wire_.resize(wire_bytes);
  const auto [error, size] = co_await socket_.async_read_some(asio::buffer(wire_), as_result);
  tls_->give(Bytes{wire_}.first(size));
  co_return error;
}

}  // namespace yuelao::server

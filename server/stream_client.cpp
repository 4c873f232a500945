#include "server/stream_client.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

namespace yuelao::server {
namespace {

namespace asio = boost::asio;

constexpr std::size_t input_bytes = std::size_t{4} * 1024;
// RFC 8446 §5.1: the content type of a handshake record. TURN's first octets are
// others (RFC 7983 §7).
constexpr unsigned char tls_handshake = 0x16;

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
void tune(asio::ip::tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay{true}, ignored);
  socket.set_option(asio::socket_base::keep_alive{true}, ignored);
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes,
               sizeof unsent_bytes);
}

void append(std::vector<std::byte>& queue, Bytes bytes) {
  queue.insert(queue.end(), bytes.begin(), bytes.end());
}

}  // namespace

StreamClient::StreamClient(Socket socket, turn::SocketRef ref, StreamHost& host)
    : socket_{std::move(socket)}, host_{host}, path_{ref, {}} {}

bool StreamClient::start(Opening opening, std::shared_ptr<TlsContext> tls) {
  Error error;
  const auto client = socket_.remote_endpoint(error);
  if (error) return false;
  const auto server = socket_.local_endpoint(error);
  if (error) return false;
  tune(socket_);

  path_.tuple = {Transport::tcp, from_asio(client), from_asio(server)};
  tls_context_ = std::move(tls);
  switch (opening) {
    case Opening::plain:
      read();
      break;
    case Opening::tls:
      open_tls();
      break;
    case Opening::by_first_octet:
      open_by_first_octet();
      break;
  }
  return true;
}

void StreamClient::open_by_first_octet() {
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](Error error) {
    if (self->closed_) return;
    unsigned char first = 0;
    const auto size =
        error ? ssize_t{0}
              : ::recv(self->socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (size == 1) return first == tls_handshake ? self->open_tls() : self->read();
    const bool woken_for_nothing = size < 0 && (errno == EAGAIN || errno == EINTR);
    woken_for_nothing ? self->open_by_first_octet() : self->end();
  });
}

void StreamClient::open_tls() {
  path_.tuple.transport = Transport::tls;
  try {
    tls_ = std::make_unique<asio::ssl::stream<Socket&>>(socket_, tls_context_->context);
  } catch (const boost::system::system_error&) {
    return end();  // no memory for one more session: this client's loss alone
  }
  tls_->async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](Error error) {
    if (self->closed_) return;
    self->host_.on_handshake(error ? StreamHost::Handshake::failed
                                   : StreamHost::Handshake::succeeded);
    error ? self->end() : self->read();
  });
}

template <class Operation>
void StreamClient::on_stream(Operation operation) {
  tls_ ? operation(*tls_) : operation(socket_);
}

void StreamClient::read() {
  make_room();
  const auto room = asio::buffer(input_.data() + filled_, input_.size() - filled_);
  on_stream([&](auto& stream) {
    stream.async_read_some(room, [self = shared_from_this()](Error error, std::size_t size) {
      self->on_read(error, size);
    });
  });
}

void StreamClient::on_read(Error error, std::size_t size) {
  if (closed_) return;
  if (error) return end();
  filled_ += size;
  // After our goodbye only the client's end of the stream is of interest.
  if (said_goodbye_ || finishing_) {
    filled_ = consumed_ = 0;
  } else {
    host_.on_received(*this);
  }
  if (!closed_) read();
}

// Moves the rest of a message to the front, and grows while messages are longer than
// the buffer.
void StreamClient::make_room() {
  std::copy(input_.begin() + static_cast<std::ptrdiff_t>(consumed_),
            input_.begin() + static_cast<std::ptrdiff_t>(filled_), input_.begin());
  filled_ -= std::exchange(consumed_, 0);
  if (filled_ < input_.size()) return;
  input_.resize(std::clamp(2 * input_.size(), input_bytes, message_limit));
}

StreamClient::Queued StreamClient::queue(const turn::Send& send) {
  if (finishing_ || closed_) return Queued::dropped;
  const std::size_t waiting = queue_.size() + writing_.size();
  const std::size_t size = send.prefix.size() + send.payload.size() + send.padding;
  // Answers are composed whole; only relayed data has a payload.
  const bool relayed = !send.payload.empty();
  if (relayed && waiting + size > relayed_limit) return Queued::dropped;
  if (waiting + size > queue_limit) return Queued::overflowed;
  append(queue_, send.prefix);
  append(queue_, send.payload);
  queue_.resize(queue_.size() + send.padding);
  return Queued::queued;
}

void StreamClient::write() {
  if (!writing_.empty() || closed_) return;
  if (queue_.empty()) return finishing_ ? say_goodbye() : void();
  std::swap(queue_, writing_);
  on_stream([&](auto& stream) {
    asio::async_write(
        stream, asio::buffer(writing_),
        [self = shared_from_this()](Error error, std::size_t) { self->on_written(error); });
  });
}

void StreamClient::on_written(Error error) {
  writing_.clear();
  if (closed_) return;
  error ? end() : write();
}

void StreamClient::finish() {
  if (std::exchange(finishing_, true)) return;
  write();
}

// Closing with unread octets in the kernel would reset the connection and could take
// the last answer with it, so the client's own end is awaited (up to the deadline).
void StreamClient::say_goodbye() {
  if (std::exchange(said_goodbye_, true)) return;
  if (tls_) {
    tls_->async_shutdown([self = shared_from_this()](Error) { self->end(); });
  } else {
    Error ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }
}

void StreamClient::end() {
  if (closed_) return;
  host_.on_ended(*this);
}

void StreamClient::close() {
  closed_ = true;
  Error ignored;
  socket_.close(ignored);
}

}  // namespace yuelao::server

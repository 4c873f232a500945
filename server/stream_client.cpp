#include "server/stream_client.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

namespace yuelao::server {
namespace {

namespace asio = boost::asio;

constexpr std::size_t input_bytes = std::size_t{4} * 1024;
void append(std::vector<std::byte>& queue, Bytes bytes) {
  queue.insert(queue.end(), bytes.begin(), bytes.end());
}

}  // namespace

StreamClient::StreamClient(Arrival arrival, turn::SocketRef ref, StreamHost& host)
    : connection_{std::move(arrival.connection)},
      host_{host},
      path_{ref, arrival.tuple},
      input_{std::move(arrival.received)} {}

void StreamClient::start() {
  const auto self = shared_from_this();  // what has arrived may already end it
  filled_ == 0 ? read() : on_read({}, 0);
}

void StreamClient::read() {
  make_room();
  const auto room = asio::buffer(input_.data() + filled_, input_.size() - filled_);
  connection_->on_stream([&](auto& stream) {
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
  connection_->on_stream([&](auto& stream) {
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
  if (connection_->tls) {
    connection_->tls->async_shutdown([self = shared_from_this()](Error) { self->end(); });
  } else {
    Error ignored;
    connection_->socket.shutdown(Connection::Socket::shutdown_send, ignored);
  }
}

void StreamClient::end() {
  if (closed_) return;
  host_.on_ended(*this);
}

void StreamClient::close() {
  closed_ = true;
  connection_->close();
}

}  // namespace yuelao::server

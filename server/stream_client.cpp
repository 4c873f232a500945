#include "server/stream_client.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace yuelao::server {
namespace {

void append(std::vector<std::byte>& queue, Bytes bytes) {
  queue.insert(queue.end(), bytes.begin(), bytes.end());
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

StreamClient::StreamClient(Arrival arrival, turn::SocketRef ref, Poller& poller,
                           StreamBuffers& buffers)
    : poller_{poller},
      buffers_{buffers},
      socket_{std::move(arrival.socket)},
      tls_{std::move(arrival.tls)},
      path_{ref, arrival.tuple} {}

StreamClient::~StreamClient() {
  for (auto* const held : {&kept_, &queue_, &writing_}) buffers_.give_back(*held);
}

std::error_code StreamClient::watch() { return poller_.add(socket_.value(), path_.socket); }

std::optional<Bytes> StreamClient::receive(MutableBytes room) {
  const std::size_t before = kept_.size();
  std::ranges::copy(kept_, room.begin());
  buffers_.give_back(kept_);
  const auto fresh = room.subspan(before);
  // After our goodbye only the client's end of the stream is of interest.
  if (finishing_) {
    const auto ignored = read(fresh);
    return ignored ? std::optional{Bytes{}} : std::nullopt;
  }
  const auto size = tls_ ? decrypt(fresh) : read(fresh.first(StreamBuffers::wire_bytes));
  if (!size) return std::nullopt;
  return Bytes{room.first(before + *size)};
}

void StreamClient::keep(Bytes rest) {
  if (rest.empty()) return;
  kept_ = buffers_.take();
  append(kept_, rest);
}

// Nothing: the stream has ended. 0: there is nothing to read after all.
std::optional<std::size_t> StreamClient::read(MutableBytes to) const {
  const auto size = ::recv(socket_.value(), to.data(), to.size(), MSG_DONTWAIT);
  if (size > 0) return static_cast<std::size_t>(size);
  if (size < 0 && (would_block(errno) || errno == EINTR)) return 0;
  return std::nullopt;
}

// `to` has room for what one read brings and for what OpenSSL held of a record before.
std::optional<std::size_t> StreamClient::decrypt(MutableBytes to) {
  const auto came = read(buffers_.wire());
  if (!came) return std::nullopt;
  tls_->give(buffers_.wire().first(*came));
  std::size_t size = 0;
  while (true) {
    const auto read = tls_->read(to.subspan(size));
    // What came before the end still counts, as it does over TCP; the next read finds the end.
    if (!read && size == 0) return std::nullopt;
    if (!read || *read == 0) break;
    size += *read;
  }
  // TLS answers some messages by itself.
  if (!tls_->output().empty() && !write()) return std::nullopt;
  return size;
}

StreamClient::Queued StreamClient::queue(const turn::Send& send) {
  if (finishing_) return Queued::dropped;
  const std::size_t waiting = queue_.size() + unwritten().size();
  const std::size_t size = send.prefix.size() + send.payload.size() + send.padding;
  // Answers are composed whole; only relayed data has a payload.
  const bool relayed = !send.payload.empty();
  if (relayed && waiting + size > relayed_limit) return Queued::dropped;
  if (waiting + size > queue_limit) return Queued::overflowed;
  if (queue_.empty()) queue_ = buffers_.take();
  append(queue_, send.prefix);
  append(queue_, send.payload);
  queue_.resize(queue_.size() + send.padding);
  return Queued::queued;
}

bool StreamClient::write() {
  while (true) {
    if (unwritten().empty() && !stage()) return false;
    const Bytes octets = unwritten();
    if (octets.empty()) break;
    const auto sent =
        ::send(socket_.value(), octets.data(), octets.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && !would_block(errno)) return false;
    written_ += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    if (!unwritten().empty()) {
      watch_for(Poller::Interest::read_and_write);
      return true;
    }
  }
  watch_for(Poller::Interest::read);
  if (finishing_) say_goodbye();
  return true;
}

// Makes what waits ready for the wire. False: TLS is broken.
bool StreamClient::stage() {
  written_ = 0;
  buffers_.give_back(writing_);
  if (queue_.empty() && (!tls_ || tls_->output().empty())) return true;
  if (!tls_) {
    std::swap(writing_, queue_);
    return true;
  }
  auto& records = tls_->output();
  if (records.capacity() == 0) records = buffers_.take();
  const bool encrypted = tls_->write(queue_);
  buffers_.give_back(queue_);
  std::swap(writing_, records);
  return encrypted;
}

void StreamClient::watch_for(Poller::Interest interest) {
  if (std::exchange(interest_, interest) == interest) return;
  poller_.watch(socket_.value(), path_.socket, interest);
}

bool StreamClient::finish() {
  finishing_ = true;
  return write();
}

void StreamClient::say_goodbye() {
  if (std::exchange(said_goodbye_, true)) return;
  if (tls_) {
    tls_->close();
    const auto alert = std::exchange(tls_->output(), {});
    ::send(socket_.value(), alert.data(), alert.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  ::shutdown(socket_.value(), SHUT_WR);
}

}  // namespace yuelao::server

#include "server/stream_end.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

namespace yuelao::server {
namespace {

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

StreamEnd::StreamEnd(Parts parts, turn::SocketRef ref, Poller& poller, StreamBuffers& buffers)
    : poller_{poller},
      buffers_{buffers},
      socket_{std::move(parts.socket)},
      tls_{std::move(parts.tls)},
      ref_{ref},
      writing_{std::move(parts.unwritten)} {}

StreamEnd::~StreamEnd() {
  buffers_.note_waiting(noted_, 0);
  for (auto* const held : {&queue_, &writing_}) buffers_.give_back(*held);
}

std::error_code StreamEnd::watch() {
  reading_ = true;
  interest_ = Poller::Interest::read;
  return poller_.add(socket_.value(), ref_);
}

bool StreamEnd::read_while(bool wanted) {
  reading_ = wanted;
  return watch_for_what_is_wanted();
}

StreamEnd::Came StreamEnd::read(MutableBytes to) {
  return tls_ ? decrypt(to) : read_wire(to.first(StreamBuffers::wire_bytes));
}

StreamEnd::Came StreamEnd::read_wire(MutableBytes to) const {
  const auto size = ::recv(socket_.value(), to.data(), to.size(), MSG_DONTWAIT);
  if (size > 0) return {static_cast<std::size_t>(size)};
  if (size < 0 && would_block(errno)) return {};
  return {0, size == 0 ? End::closed : End::broken};
}

StreamEnd::Came StreamEnd::decrypt(MutableBytes to) {
  const auto wire = read_wire(buffers_.wire());
  if (wire.end) return wire;
  tls_->give(buffers_.wire().first(wire.size));
  Came came;
  while (true) {
    const auto read = tls_->read(to.subspan(came.size));
    if (!read) {
      came.end = read.error() == TlsSession::End::closed ? End::closed : End::broken;
      break;
    }
    if (*read == 0) break;
    came.size += *read;
  }
  // TLS answers some messages by itself.
  if (!tls_->output().empty() && !flush()) came.end = End::broken;
  return came;
}

std::vector<std::byte>& StreamEnd::queue() {
  if (queue_.empty()) queue_ = buffers_.take();
  return queue_;
}

bool StreamEnd::flush() {
  const bool written = write_out();
  note_waiting();
  if (!written || !watch_for_what_is_wanted()) return false;
  if (ending_ && unwritten().empty()) say_goodbye();
  return true;
}

void StreamEnd::note_waiting() {
  buffers_.note_waiting(std::exchange(noted_, waiting()), waiting());
}

// Until all is out, or the kernel takes no more.
bool StreamEnd::write_out() {
  while (true) {
    if (unwritten().empty() && !stage()) return false;
    const Bytes octets = unwritten();
    if (octets.empty()) return true;
    const auto sent =
        ::send(socket_.value(), octets.data(), octets.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && !would_block(errno)) return false;
    written_ += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    if (!unwritten().empty()) return true;
  }
}

bool StreamEnd::send(Bytes plain) {
  if (tls_) {
    if (!tls_->write(plain)) return false;
    return flush();
  }
  const auto sent =
      ::send(socket_.value(), plain.data(), plain.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && !would_block(errno)) return false;
  const auto rest = plain.subspan(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
  if (rest.empty()) return true;
  queue().insert(queue_.end(), rest.begin(), rest.end());
  return flush();
}

// Makes what waits ready for the wire. False: TLS is broken.
bool StreamEnd::stage() {
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

bool StreamEnd::watch_for_what_is_wanted() {
  using Interest = Poller::Interest;
  const bool writes = !unwritten().empty();
  const auto wanted = reading_ ? (writes ? Interest::read_and_write : Interest::read)
                               : (writes ? Interest::write : Interest::none);
  if (std::exchange(interest_, wanted) == wanted) return true;
  return !poller_.watch(socket_.value(), ref_, wanted);
}

bool StreamEnd::end_writing() {
  ending_ = true;
  return flush();
}

void StreamEnd::say_goodbye() {
  if (std::exchange(said_goodbye_, true)) return;
  if (tls_) {
    tls_->close();
    const auto alert = std::exchange(tls_->output(), {});
    ::send(socket_.value(), alert.data(), alert.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  ::shutdown(socket_.value(), SHUT_WR);
}

void StreamEnd::cut_off() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.value(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

StreamEnd::Parts StreamEnd::depart() {
  std::ignore = poller_.watch(socket_.value(), ref_, Poller::Interest::none);
  std::vector<std::byte> octets{unwritten().begin(), unwritten().end()};
  writing_.clear();
  written_ = 0;
  // What is broken shows when it is used.
  static_cast<void>(stage());
  octets.insert(octets.end(), writing_.begin(), writing_.end());
  writing_.clear();
  note_waiting();
  return {std::move(socket_), std::move(tls_), std::move(octets)};
}

}  // namespace yuelao::server

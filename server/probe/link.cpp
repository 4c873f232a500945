#include "server/probe/link.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <vector>

#include "protocol/turn/stream_framing.hpp"
#include "server/file_descriptor.hpp"
#include "server/probe/waiting.hpp"
#include "server/socket_address.hpp"

namespace yuelao::probe {
namespace {

using server::FileDescriptor;
using server::SocketAddress;

constexpr std::size_t longest_message_bytes = 65'535;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

// Of an operation with this result, as Link::error() has it; 0: it may be tried again.
int error_of(const SSL& session, int result) {
  const int wish = SSL_get_error(&session, result);
  if (wish == SSL_ERROR_WANT_READ || wish == SSL_ERROR_WANT_WRITE) return 0;
  return wish == SSL_ERROR_SYSCALL && errno != 0 ? errno : ENODATA;
}

// Connected, so that the kernel passes on the server's datagrams alone, and its refusals.
class DatagramLink final : public Link {
 public:
  explicit DatagramLink(FileDescriptor socket) : socket_{std::move(socket)} {}

  client::Carrier carrier() const override { return client::Carrier::datagrams; }
  int descriptor() const override { return socket_.value(); }
  void send(Bytes message, SteadyTime) override {
    // No room in the kernel is a loss like any other.
    const auto sent = ::send(socket_.value(), message.data(), message.size(), MSG_NOSIGNAL);
    if (sent < 0 && !would_block(errno) && errno != ENOBUFS) fail(errno);
  }
  Bytes receive() override {
    const auto size = ::recv(socket_.value(), buffer_.data(), buffer_.size(), 0);
    if (size < 0 && !would_block(errno)) fail(errno);
    return size <= 0 ? Bytes{} : Bytes{buffer_}.first(static_cast<std::size_t>(size));
  }

 private:
  FileDescriptor socket_;
  std::array<std::byte, longest_message_bytes> buffer_{};
};

// DTLS over it: each message is a record in a datagram of its own.
class SecureDatagramLink final : public Link {
 public:
  SecureDatagramLink(FileDescriptor socket, TlsSession session)
      : socket_{std::move(socket)}, session_{std::move(session)} {}
  ~SecureDatagramLink() override {
    // So that the server need not keep the association until it is idle for long.
    if (error() == 0) SSL_shutdown(session_.get());
  }

  client::Carrier carrier() const override { return client::Carrier::datagrams; }
  int descriptor() const override { return socket_.value(); }
  void send(Bytes message, SteadyTime) override {
    std::size_t size = 0;
    const int done = SSL_write_ex(session_.get(), message.data(), message.size(), &size);
    if (done != 1) judge(done);
  }
  Bytes receive() override {
    std::size_t size = 0;
    const int done = SSL_read_ex(session_.get(), buffer_.data(), buffer_.size(), &size);
    if (done != 1) judge(done);
    return done == 1 ? Bytes{buffer_}.first(size) : Bytes{};
  }

 private:
  void judge(int done) { fail(error_of(*session_, done)); }

  FileDescriptor socket_;
  TlsSession session_;
  std::array<std::byte, SSL3_RT_MAX_PLAIN_LENGTH> buffer_{};
};

// TCP, and TLS where there is a session.
class StreamLink final : public Link {
 public:
  StreamLink(FileDescriptor socket, TlsSession session)
      : socket_{std::move(socket)}, session_{std::move(session)} {}

  client::Carrier carrier() const override { return client::Carrier::stream; }
  int descriptor() const override { return socket_.value(); }
  void send(Bytes message, SteadyTime deadline) override {
    while (!message.empty() && error() == 0) {
      const auto written = write(message);
      message = message.subspan(written);
      if (written == 0 && error() == 0 && !wait_for({descriptor()}, Wish::write, deadline)) {
        fail(ETIMEDOUT);
      }
    }
  }
  Bytes receive() override {
    while (error() == 0) {
      const auto frame =
          turn::next_frame(Bytes{buffer_}.subspan(begin_, end_ - begin_), longest_message_bytes);
      if (!frame) fail(EBADMSG);
      if (!frame) break;
      begin_ += frame->consumed;
      if (!frame->message.empty()) return frame->message;
      if (frame->consumed == 0 && read() == 0) break;
    }
    return {};
  }

 private:
  std::size_t read() {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
    const auto room = MutableBytes{buffer_}.subspan(end_);
    const auto size = session_ ? read_session(room) : read_socket(room);
    end_ += size;
    return size;
  }
  std::size_t read_socket(MutableBytes room) {
    const auto size = ::recv(descriptor(), room.data(), room.size(), 0);
    if (size == 0) fail(ENODATA);
    if (size < 0 && !would_block(errno)) fail(errno);
    return size <= 0 ? 0 : static_cast<std::size_t>(size);
  }
  std::size_t read_session(MutableBytes room) {
    std::size_t size = 0;
    const int done = SSL_read_ex(session_.get(), room.data(), room.size(), &size);
    if (done != 1) judge(done);
    return done == 1 ? size : 0;
  }
  std::size_t write(Bytes message) {
    if (session_) {
      std::size_t size = 0;
      const int done = SSL_write_ex(session_.get(), message.data(), message.size(), &size);
      if (done != 1) judge(done);
      return done == 1 ? size : 0;
    }
    const auto size = ::send(descriptor(), message.data(), message.size(), MSG_NOSIGNAL);
    if (size < 0 && !would_block(errno)) fail(errno);
    return size <= 0 ? 0 : static_cast<std::size_t>(size);
  }
  void judge(int done) { fail(error_of(*session_, done)); }

  FileDescriptor socket_;
  TlsSession session_;
  // A whole message with its padding, and room for the beginning of the next.
  std::vector<std::byte> buffer_ = std::vector<std::byte>(2 * longest_message_bytes);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

std::expected<FileDescriptor, LinkError> connect(const Endpoint& server, int kind,
                                                 SteadyTime deadline) {
  const SocketAddress remote{server};
  FileDescriptor socket{
      ::socket(server::kernel_family(server.address), kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!socket.open()) return std::unexpected{LinkError{errno, {}}};
  // Bursts of the data test have to fit, whatever the system's default.
  constexpr int room_bytes = 1 << 20;
  ::setsockopt(socket.value(), SOL_SOCKET, SO_RCVBUF, &room_bytes, sizeof room_bytes);
  if (::connect(socket.value(), remote.data(), remote.size()) == 0) return socket;
  if (errno != EINPROGRESS) return std::unexpected{LinkError{errno, {}}};
  if (!wait_for({socket.value()}, Wish::write, deadline)) {
    return std::unexpected{LinkError{ETIMEDOUT, {}}};
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.value(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return std::unexpected{LinkError{error, {}}};
  return socket;
}

}  // namespace

Endpoint Link::local() const {
  SocketAddress local;
  socklen_t size = SocketAddress::capacity;
  if (::getsockname(descriptor(), local.data(), &size) != 0) return {};
  return local.endpoint();
}

std::expected<OpenLink, LinkError> open_link(const Place& place, const Trust& trust, TlsPeer peer,
                                             SteadyTime deadline) {
  const auto began = steady_now();
  peer.datagrams = over_udp(place.transport);
  auto socket = connect(place.server, peer.datagrams ? SOCK_DGRAM : SOCK_STREAM, deadline);
  if (!socket) return std::unexpected{socket.error()};
  OpenLink open;
  if (place.transport == Transport::udp) {
    open.link = std::make_unique<DatagramLink>(*std::move(socket));
    return open;
  }
  if (!peer.datagrams) {
    open.connected_after = std::chrono::floor<std::chrono::microseconds>(steady_now() - began);
    constexpr int at_once = 1;
    ::setsockopt(socket->value(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
  }
  TlsSession session;
  if (place.transport != Transport::tcp) {
    auto shaken = shake_hands(trust, peer, socket->value(), deadline);
    if (!shaken) return std::unexpected{LinkError{EPROTO, shaken.error()}};
    session = *std::move(shaken);
    open.certificate = certificate_of(*session);
  }
  if (peer.datagrams) {
    open.link = std::make_unique<SecureDatagramLink>(*std::move(socket), std::move(session));
  } else {
    open.link = std::make_unique<StreamLink>(*std::move(socket), std::move(session));
  }
  return open;
}

}  // namespace yuelao::probe

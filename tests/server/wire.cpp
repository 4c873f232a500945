#include "tests/server/wire.hpp"

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "protocol/turn/stream_framing.hpp"
#include "server/socket_address.hpp"

namespace yuelao::test {
namespace {

using server::SocketAddress;
using std::chrono::milliseconds;

server::FileDescriptor open_socket(const IpAddress& address, int type) {
  server::FileDescriptor socket{::socket(server::kernel_family(address), type | SOCK_CLOEXEC, 0)};
  if (!socket.open()) throw std::runtime_error{"socket"};
  return socket;
}

bool readable(int descriptor, milliseconds wait) {
  pollfd wanted{descriptor, POLLIN, 0};
  return uninterrupted([&] { return ::poll(&wanted, 1, static_cast<int>(wait.count())); }) == 1;
}

// The same of OpenSSL's calls, which answer with 0 or less.
template <class Call>
int go_on(Call call) {
  int result = 0;
  do {
    errno = 0;
    result = call();
  } while (result <= 0 && errno == EINTR);
  return result;
}

// No read or write of a test may hang for ever.
void bound_waits(int descriptor) {
  const timeval wait{patience.count(), 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
}

}  // namespace

Octets to_octets(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

UdpWire::UdpWire(const Endpoint& local) : socket_{open_socket(local.address, SOCK_DGRAM)} {
  SocketAddress address{local};
  if (::bind(socket_.value(), address.data(), address.size()) != 0) {
    throw std::runtime_error{"bind"};
  }
}

UdpWire::UdpWire(const IpAddress& local, const Endpoint& server) : UdpWire{Endpoint{local, 0}} {
  server_ = server;
}

void UdpWire::send_to(const Endpoint& to, Bytes message) {
  const SocketAddress address{to};
  uninterrupted([&] {
    return ::sendto(socket_.value(), message.data(), message.size(), 0, address.data(),
                    address.size());
  });
}

std::optional<Octets> UdpWire::receive(milliseconds wait) {
  if (!readable(socket_.value(), wait)) return std::nullopt;
  Octets message(65536);
  SocketAddress from;
  socklen_t size = SocketAddress::capacity;
  const auto received = uninterrupted([&] {
    return ::recvfrom(socket_.value(), message.data(), message.size(), 0, from.data(), &size);
  });
  if (received < 0) return std::nullopt;
  source_ = from.endpoint();
  message.resize(static_cast<std::size_t>(received));
  return message;
}

Endpoint UdpWire::local() const {
  SocketAddress address;
  socklen_t size = SocketAddress::capacity;
  ::getsockname(socket_.value(), address.data(), &size);
  return address.endpoint();
}

TcpWire::TcpWire(const Endpoint& server) : socket_{open_socket(server.address, SOCK_STREAM)} {
  bound_waits(socket_.value());
  const SocketAddress address{server};
  // Asked again, it waits for the connection that is on its way.
  const auto connect = [&] { return ::connect(socket_.value(), address.data(), address.size()); };
  if (uninterrupted(connect) != 0) {
    throw std::system_error{errno, std::system_category(), "connect"};
  }
}

void TcpWire::send(Bytes message) {
  Octets padded = to_octets(message);
  padded.resize(message.size() + padding_to_four(message.size()));
  write(padded);
}

bool TcpWire::write(Bytes octets) {
  while (!octets.empty()) {
    const auto sent = uninterrupted(
        [&] { return ::send(socket_.value(), octets.data(), octets.size(), MSG_NOSIGNAL); });
    if (sent <= 0) return false;
    octets = octets.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

std::optional<Octets> TcpWire::receive(milliseconds wait) {
  while (true) {
    const auto frame = turn::next_frame(received_, 70'000);
    if (!frame) throw std::runtime_error{"the server sent something that is not TURN"};
    if (!frame->message.empty()) {
      auto message = to_octets(frame->message);
      received_.erase(received_.begin(),
                      received_.begin() + static_cast<std::ptrdiff_t>(frame->consumed));
      return message;
    }
    if (!read_more(wait)) return std::nullopt;
  }
}

bool TcpWire::read_more(milliseconds wait) {
  if (!readable(socket_.value(), wait)) return false;
  std::array<std::byte, 16384> chunk{};
  const auto size =
      uninterrupted([&] { return ::recv(socket_.value(), chunk.data(), chunk.size(), 0); });
  if (size <= 0) return false;
  received_.insert(received_.end(), chunk.begin(), chunk.begin() + size);
  return true;
}

bool TcpWire::closed_by_server() {
  std::array<std::byte, 16384> ignored{};
  while (readable(socket_.value(), patience)) {
    const auto size =
        uninterrupted([&] { return ::recv(socket_.value(), ignored.data(), ignored.size(), 0); });
    if (size <= 0) return true;
  }
  return false;
}

struct TlsWire::Session {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = nullptr;
  bool connected = false;

  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
};

TlsWire::TlsWire(const Endpoint& server, std::string_view alpn, int highest_version)
    : TcpWire{server}, session_{std::make_unique<Session>()} {
  SSL_CTX_set_security_level(session_->context, 0);
  if (highest_version != 0) {
    SSL_CTX_set_min_proto_version(session_->context, highest_version);
    SSL_CTX_set_max_proto_version(session_->context, highest_version);
  }
  session_->ssl = SSL_new(session_->context);
  if (!alpn.empty()) {
    std::string offer{static_cast<char>(alpn.size())};
    offer += alpn;
    SSL_set_alpn_protos(session_->ssl, reinterpret_cast<const unsigned char*>(offer.data()),
                        static_cast<unsigned>(offer.size()));
  }
  SSL_set_fd(session_->ssl, socket_.value());
  session_->connected = go_on([this] { return SSL_connect(session_->ssl); }) == 1;
}

TlsWire::~TlsWire() = default;

bool TlsWire::connected() const { return session_->connected; }

std::string TlsWire::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(session_->ssl, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string TlsWire::version() const { return SSL_get_version(session_->ssl); }

bool TlsWire::write(Bytes octets) {
  const auto write = [&] {
    return SSL_write(session_->ssl, octets.data(), static_cast<int>(octets.size()));
  };
  return go_on(write) > 0;
}

bool TlsWire::read_more(milliseconds wait) {
  if (SSL_pending(session_->ssl) == 0 && !readable(socket_.value(), wait)) return false;
  std::array<std::byte, 16384> chunk{};
  const int size =
      go_on([&] { return SSL_read(session_->ssl, chunk.data(), static_cast<int>(chunk.size())); });
  if (size <= 0) return false;
  received_.insert(received_.end(), chunk.begin(), chunk.begin() + size);
  return true;
}

}  // namespace yuelao::test

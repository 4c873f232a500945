#include "server/tcp_relay.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "server/socket_address.hpp"

namespace yuelao::server {
namespace {

// Connections that wait to be accepted; a relay has few peers.
constexpr int backlog = 32;

std::error_code error_of_call() { return {errno, std::system_category()}; }

FileDescriptor new_tcp_socket(const Endpoint& local) {
  return FileDescriptor{
      ::socket(kernel_family(local.address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

bool allow(const FileDescriptor& socket, int option) {
  const int on = 1;
  return ::setsockopt(socket.value(), SOL_SOCKET, option, &on, sizeof on) == 0;
}

bool bind_to(const FileDescriptor& socket, const Endpoint& local) {
  const SocketAddress address{local};
  return ::bind(socket.value(), address.data(), address.size()) == 0;
}

}  // namespace

// SO_REUSEADDR: connections of a former relay in TIME_WAIT do not hold the port. SO_REUSEPORT is
// for the relay's own connections, and comes after bind(2), so that no port is shared with
// another program that has it for something else.
std::expected<ListeningSocket, std::error_code> open_tcp_relay(const Endpoint& local) {
  auto socket = new_tcp_socket(local);
  if (!socket.open() || !allow(socket, SO_REUSEADDR) || !bind_to(socket, local) ||
      !allow(socket, SO_REUSEPORT) || ::listen(socket.value(), backlog) != 0) {
    return std::unexpected{error_of_call()};
  }
  return ListeningSocket{std::move(socket), local};
}

std::expected<AcceptedPeer, std::error_code> accept_peer(const ListeningSocket& relay) {
  SocketAddress from;
  socklen_t size = SocketAddress::capacity;
  FileDescriptor socket{
      ::accept4(relay.descriptor.value(), from.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (!socket.open()) return std::unexpected{error_of_call()};
  return AcceptedPeer{std::move(socket), from.endpoint()};
}

std::expected<Connecting, std::error_code> connect_from(const Endpoint& relay,
                                                        const Endpoint& peer) {
  auto socket = new_tcp_socket(relay);
  if (!socket.open() || !allow(socket, SO_REUSEADDR) || !allow(socket, SO_REUSEPORT) ||
      !bind_to(socket, relay)) {
    return std::unexpected{error_of_call()};
  }
  const SocketAddress to{peer};
  const bool done = ::connect(socket.value(), to.data(), to.size()) == 0;
  if (!done && errno != EINPROGRESS) return std::unexpected{error_of_call()};
  return Connecting{std::move(socket), done};
}

std::error_code connect_error(const FileDescriptor& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket.value(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    return error_of_call();
  return {error, std::system_category()};
}

bool out_of_resources(std::error_code error) {
  switch (error.value()) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:  // epoll's limit on what one user may watch
      return true;
    default:
      return false;
  }
}

}  // namespace yuelao::server

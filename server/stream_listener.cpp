#include "server/stream_listener.hpp"

#include <netinet/in.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "server/inherited_sockets.hpp"
#include "server/socket_address.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;

// While no descriptor is left the waiting connection keeps the listener readable:
// without a rest that would be a busy loop.
constexpr std::chrono::milliseconds rest_time{200};

bool set_option(int descriptor, int level, int option) {
  const int on = 1;
  return ::setsockopt(descriptor, level, option, &on, sizeof on) == 0;
}

bool prepare(int descriptor, const Endpoint& local) {
  const bool v6 = local.address.family() == Family::ipv6;
  SocketAddress address{local};
  // SO_REUSEADDR: connections of a previous run in TIME_WAIT do not hold the port.
  return set_option(descriptor, SOL_SOCKET, SO_REUSEADDR) &&
         set_option(descriptor, SOL_SOCKET, SO_REUSEPORT) &&
         (!v6 || set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY)) &&
         ::bind(descriptor, address.data(), address.size()) == 0 &&
         ::listen(descriptor, SOMAXCONN) == 0;
}

asio::ip::tcp protocol_of(const Endpoint& local) {
  return local.address.family() == Family::ipv4 ? asio::ip::tcp::v4() : asio::ip::tcp::v6();
}

}  // namespace

std::expected<ListeningSocket, std::error_code> open_stream_listener(const Endpoint& local) {
  if (auto ready = take_inherited(SOCK_STREAM, local)) {
    return ListeningSocket{*std::move(ready), local};
  }
  FileDescriptor descriptor{
      ::socket(kernel_family(local.address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  SocketAddress bound;
  socklen_t size = SocketAddress::capacity;
  if (!descriptor.open() || !prepare(descriptor.value(), local) ||
      ::getsockname(descriptor.value(), bound.data(), &size) != 0) {
    return std::unexpected{std::error_code{errno, std::system_category()}};
  }
  return ListeningSocket{std::move(descriptor), bound.endpoint()};
}

StreamListener::StreamListener(asio::io_context& context, ListeningSocket socket,
                               EntranceMeters& meters, Accepted accepted)
    : acceptor_{context, protocol_of(socket.local), socket.descriptor.release()},
      pause_{context},
      meters_{meters},
      accepted_{std::move(accepted)} {}

void StreamListener::start() {
  acceptor_.async_accept(
      [this](Error error, asio::ip::tcp::socket socket) { on_accept(error, std::move(socket)); });
}

void StreamListener::on_accept(Error error, asio::ip::tcp::socket socket) {
  if (!acceptor_.is_open() || error == asio::error::operation_aborted) return;
  if (!error) accepted_(std::move(socket));
  // A client that changed its mind is no reason to rest.
  if (!error || error == asio::error::connection_aborted) return start();
  ++meters_.connections_refused;
  rest();
}

void StreamListener::rest() {
  pause_.expires_after(rest_time);
  pause_.async_wait([this](Error error) {
    if (!error && acceptor_.is_open()) start();
  });
}

void StreamListener::close() {
  Error ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

}  // namespace yuelao::server

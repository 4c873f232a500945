#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <span>
#include <system_error>

#include "protocol/turn/socket_ref.hpp"
#include "server/udp_socket.hpp"

namespace yuelao::server {

// Tells which of a shard's UDP sockets are readable. They sit in one level-triggered
// epoll of their own, and Asio watches that one: a round costs one wait in Asio however
// many sockets are ready, where waiting for each would cost an epoll_ctl(2) each.
class UdpPoller {
 public:
  // Errors are thrown as std::system_error: without a poller there is no shard.
  explicit UdpPoller(boost::asio::io_context& context);

  // A socket leaves by being closed.
  std::error_code add(const UdpSocket& socket, turn::SocketRef ref);

  // The sockets that are readable now, at most a round's worth; the others come next
  // round. One of them may have been closed since, and its number used again: the
  // generation tells. The span lives until the next call.
  std::span<const turn::SocketRef> ready();

  // Calls handler(error_code) once something is readable.
  template <class Handler>
  void async_wait(Handler&& handler) {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           std::forward<Handler>(handler));
  }
  void cancel();

 private:
  static constexpr std::size_t round_limit = 128;

  boost::asio::posix::stream_descriptor descriptor_;
  std::array<epoll_event, round_limit> events_{};
  std::array<turn::SocketRef, round_limit> refs_{};
};

}  // namespace yuelao::server

#pragma once

#include <expected>
#include <functional>
#include <system_error>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocol/endpoint.hpp"
#include "server/file_descriptor.hpp"
#include "server/meters.hpp"

namespace yuelao::server {

// A bound TCP socket that listens; its port is shared with the other shards.
struct ListeningSocket {
  FileDescriptor descriptor;
  Endpoint local;  // with the port the kernel chose, where 0 was asked for
};
// Errors: the errno of socket(2), setsockopt(2), bind(2) or listen(2).
std::expected<ListeningSocket, std::error_code> open_stream_listener(const Endpoint& local);

// Accepts connections until it is closed, whatever happens to single ones.
class StreamListener {
 public:
  using Accepted = std::function<void(boost::asio::ip::tcp::socket)>;

  // `meters` outlives this; `accepted` is called on the thread of `context`.
  StreamListener(boost::asio::io_context& context, ListeningSocket socket, EntranceMeters& meters,
                 Accepted accepted);

  void start();
  void close();

 private:
  using Error = boost::system::error_code;

  void on_accept(Error error, boost::asio::ip::tcp::socket socket);
  void rest();

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  EntranceMeters& meters_;
  Accepted accepted_;
};

}  // namespace yuelao::server

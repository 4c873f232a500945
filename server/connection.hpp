#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "protocol/endpoint.hpp"
#include "server/tls_context.hpp"

namespace yuelao::server {

// A client's TCP connection, and the TLS over it once that has begun.
struct Connection {
  using Socket = boost::asio::ip::tcp::socket;

  explicit Connection(Socket accepted) : socket{std::move(accepted)} {}

  // Throws boost::system::system_error when there is no memory for one more session.
  void begin_tls(std::shared_ptr<TlsContext> certificate) {
    context = std::move(certificate);
    tls = std::make_unique<boost::asio::ssl::stream<Socket&>>(socket, context->context);
  }
  // Calls operation(stream) with the TLS stream or the bare socket.
  template <class Operation>
  void on_stream(Operation operation) {
    tls ? operation(*tls) : operation(socket);
  }
  void close() {
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  Socket socket;
  std::shared_ptr<TlsContext> context;
  std::unique_ptr<boost::asio::ssl::stream<Socket&>> tls;
};

// A connection whose client is known, and what it has sent so far (decrypted).
struct Arrival {
  std::unique_ptr<Connection> connection;
  FiveTuple tuple;
  std::vector<std::byte> received;
};

}  // namespace yuelao::server

#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"
#include "server/connection_limit.hpp"
#include "server/file_descriptor.hpp"
#include "server/tls_context.hpp"
#include "server/tls_session.hpp"

namespace yuelao::server {

// A connection whose client is known to be TURN's, and what it has sent so far (decrypted).
// Its socket does not block.
struct Arrival {
  FileDescriptor socket;
  std::unique_ptr<TlsSession> tls;  // null: bare TCP
  FiveTuple tuple;
  std::vector<std::byte> received;
  // For the client, as it goes on the wire: of one that comes from another shard.
  std::vector<std::byte> unwritten{};
  ConnectionLimit::Place place{};
};

// A connection at the entrance: a TCP socket of Asio's, and the TLS over it once that has
// begun. One coroutine may read while another writes.
class Connection {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Error = boost::system::error_code;

  Connection(Socket accepted, ConnectionLimit::Place place)
      : socket_{std::move(accepted)}, place_{std::move(place)} {}

  Socket& socket() { return socket_; }
  bool encrypted() const { return tls_ != nullptr; }

  // Ends TLS here; `first` has come already. False when the client broke it or has gone.
  // Throws std::bad_alloc when there is no memory for one more session.
  boost::asio::awaitable<bool> begin_tls(std::shared_ptr<TlsContext> context,
                                         std::vector<std::byte> first);
  struct Transfer {
    Error error;
    std::size_t size;
  };
  // At least one octet, or an error; asio::error::eof at the client's orderly end.
  boost::asio::awaitable<Transfer> read_some(MutableBytes to);
  // All of it.
  boost::asio::awaitable<Error> write(Bytes plain);
  // Nothing more is written.
  boost::asio::awaitable<void> say_goodbye();
  void close();

  // Gives the connection away, with what was `received` and not asked for yet; this one is of
  // no use any more.
  Arrival depart(const FiveTuple& tuple, std::vector<std::byte> received);

 private:
  boost::asio::awaitable<Error> flush();
  boost::asio::awaitable<Error> receive();
  void decrypt_rest(std::vector<std::byte>& received);

  Socket socket_;
  ConnectionLimit::Place place_;
  std::unique_ptr<TlsSession> tls_;
  std::vector<std::byte> wire_;  // what `tls_` was given last
};

}  // namespace yuelao::server

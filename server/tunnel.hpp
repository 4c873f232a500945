#pragma once

#include <functional>
#include <memory>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "protocol/now.hpp"
#include "server/front_door.hpp"

namespace yuelao::server {

// A connection that is the web server's: octets pass both ways as they are, each way with a
// buffer of its own that is only filled again once it has been written, so that a slow reader
// slows its sender and nobody else. The end of one way leaves the other open for a while.
class Tunnel : public std::enable_shared_from_this<Tunnel> {
 public:
  enum class Ending : std::uint8_t { done, unreachable };
  // Called once, unless close() came first.
  using Ended = std::function<void(Tunnel& tunnel, Ending ending)>;

  Tunnel(boost::asio::io_context& io, FrontDoor::WebVisit visit, Ended ended);

  void start();
  void close();

  // Kept up to date here, watched by the owner: connecting, moving octets, being half closed
  // and being idle each have their time.
  SteadyTime deadline;

 private:
  using Socket = Connection::Socket;

  boost::asio::awaitable<void> run();
  boost::asio::awaitable<bool> connect();
  boost::asio::awaitable<void> pump_to_server();
  boost::asio::awaitable<void> pump_to_client();
  void on_moved();
  void one_way_ended();
  void end(Ending ending);

  boost::asio::io_context& io_;
  std::unique_ptr<Connection> client_;
  std::vector<std::byte> first_;  // for the web server, before all else
  Endpoint to_;
  Socket server_;
  Ended ended_;
  int ways_open_ = 2;
  bool closed_ = false;
};

}  // namespace yuelao::server

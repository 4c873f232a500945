#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "protocol/now.hpp"
#include "server/connection_limit.hpp"
#include "server/front_door.hpp"
#include "server/tunnel.hpp"

namespace yuelao::server {

// The connections of one shard that are not TURN clients: those nobody knows yet, and those
// that are the web server's. Lives on the shard's thread.
class Entrance {
 public:
  // A TURN client. Its place in the connection limit goes with it.
  using Arrived = std::function<void(Arrival arrival)>;

  // Limit and meters outlive this.
  Entrance(boost::asio::io_context& io, ConnectionLimit& connections, Meters& meters,
           Arrived arrived);

  void use(StreamSettings settings);
  void accept(Connection::Socket socket, Transport listener);
  void close_overdue(SteadyTime now);
  // Ends what is left.
  void close();

  std::size_t size() const { return doors_.size() + tunnels_.size(); }

 private:
  void on_decided(FrontDoor& door, FrontDoor::Outcome outcome);
  void on_visit(FrontDoor::WebVisit visit);
  void on_tunnel_ended(Tunnel& tunnel, Tunnel::Ending ending);
  void count_unreachable();

  boost::asio::io_context& io_;
  ConnectionLimit& connections_;
  Meters& meters_;
  Arrived arrived_;
  std::shared_ptr<const StreamSettings> settings_ = std::make_shared<StreamSettings>();
  std::vector<std::shared_ptr<FrontDoor>> doors_;
  std::vector<std::shared_ptr<Tunnel>> tunnels_;
  SteadyTime complained_;
};

}  // namespace yuelao::server

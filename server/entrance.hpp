#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocol/now.hpp"
#include "server/arrival_order.hpp"
#include "server/connection_limit.hpp"
#include "server/dtls_handshakes.hpp"
#include "server/front_door.hpp"
#include "server/stream_listener.hpp"
#include "server/tunnel.hpp"

namespace yuelao::server {

// The TCP connections of one shard that are not TURN clients: those nobody knows yet, and
// those that are the web server's; and the handshakes of its DTLS clients. It has a thread of its
// own, because a TLS handshake takes as long as a hundred packets, which would wait for it.
class Entrance {
 public:
  // Told of a TURN client, on the entrance's thread.
  using Arrived = std::function<void(Arrival arrival)>;

  // The limit outlives this.
  Entrance(ConnectionLimit& connections, Arrived arrived, DtlsHandshakes::Told told);

  // Before run().
  void add_listener(ListeningSocket socket, Transport transport);
  // Serves on the calling thread until stop().
  void run();

  // For the shard's thread.
  DtlsHandshakes& handshakes() { return handshakes_; }

  // From any thread; each takes effect in its turn.
  void use(StreamSettings settings);
  void stop_listening();
  void stop();
  void meters(std::function<void(const EntranceMeters&)> answer);

 private:
  void accept(Connection::Socket socket, Transport listener);
  std::shared_ptr<FrontDoor> take_door(const FrontDoor& door);
  void on_decided(FrontDoor& door, FrontDoor::Outcome outcome);
  void on_visit(FrontDoor::WebVisit visit);
  void on_tunnel_ended(Tunnel& tunnel, Tunnel::Ending ending);
  void count_unreachable();
  void watch_the_clock();
  void close_overdue(SteadyTime now);

  // First in, last out: what it still holds refers to the rest.
  boost::asio::io_context io_{1};
  ConnectionLimit& connections_;
  Arrived arrived_;
  EntranceMeters meters_;
  std::shared_ptr<const StreamSettings> settings_ = std::make_shared<StreamSettings>();
  std::vector<std::unique_ptr<StreamListener>> listeners_;
  std::vector<std::shared_ptr<FrontDoor>> doors_;
  ArrivalOrder<const FrontDoor*> arrivals_;  // at the doors
  std::vector<std::shared_ptr<Tunnel>> tunnels_;
  DtlsHandshakes handshakes_;
  boost::asio::steady_timer clock_{io_};
  SteadyTime complained_;
};

}  // namespace yuelao::server

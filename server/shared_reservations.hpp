#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/turn/reservations.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "server/udp_socket.hpp"

namespace yuelao::server {

// One book of reservations for all shards, and the sockets that are reserved (RFC 8656 §7.2).
// A port belongs to the shard whose slice it is from; a socket may serve in another, which gets
// it from here, and gives the port back here when it is done.
class SharedReservations final : public turn::Reservations {
 public:
  explicit SharedReservations(std::size_t shards) : homecoming_(shards) {}

  bool hold(const turn::ReservationToken& token, const turn::Reservation& reservation) override;
  std::optional<turn::Reservation> claim(const turn::ReservationToken& token, std::string_view user,
                                         SteadyTime now) override;
  std::optional<turn::Reservation> forget(const turn::ReservationToken& token) override;

  struct Held {
    UdpSocket socket;
    turn::ShardNumber home;  // whose port it is
  };
  void keep(const turn::ReservationToken& token, Held held);
  // Once.
  std::optional<Held> take(const turn::ReservationToken& token);

  // The port of a socket that is closed now, for the shard it belongs to.
  void send_home(turn::ShardNumber home, const Endpoint& port);
  // Costs a load where there is none, which is always so but after a reservation was used.
  std::vector<Endpoint> come_home(turn::ShardNumber home);

 private:
  struct Ports {
    std::atomic<bool> waiting = false;
    std::vector<Endpoint> ports;
  };

  std::mutex mutex_;
  turn::ReservationBook book_;
  std::map<turn::ReservationToken, Held> sockets_;
  std::vector<Ports> homecoming_;  // by shard
};

}  // namespace yuelao::server

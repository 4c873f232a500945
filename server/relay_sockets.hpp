#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "protocol/random.hpp"
#include "protocol/turn/engine.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "server/poller.hpp"
#include "server/relay_ports.hpp"
#include "server/shared_reservations.hpp"
#include "server/udp_socket.hpp"

namespace yuelao::server {

// The open relays of one shard: their sockets, found by the engine's number for them,
// and the ports that are left.
class RelaySockets {
 public:
  // What all of them need; outlives this.
  struct Surroundings {
    Poller& poller;
    Random& random;
    SharedReservations& reservations;
    turn::ShardNumber shard;
  };
  // `ports` is the shard's slice, on each of `addresses`.
  RelaySockets(const std::vector<turn::RelayAddress>& addresses, PortRange ports,
               Surroundings surroundings);

  // Opens relays on these from now on; those that are open stay so.
  void follow(const std::vector<turn::RelayAddress>& addresses);

  // On the first of the family's addresses that has a port left.
  std::expected<Endpoint, turn::RelayFailure> open(turn::RelayId id, Family family,
                                                   turn::Parity parity = turn::Parity::any);
  // On an even port, with the next higher one held under `token` for whichever shard asks.
  std::expected<Endpoint, turn::RelayFailure> open_pair(turn::RelayId id, Family family,
                                                        const turn::ReservationToken& token);
  // What any shard holds under `token`.
  std::expected<Endpoint, turn::RelayFailure> open_reserved(turn::RelayId id,
                                                            const turn::ReservationToken& token);
  void close(turn::RelayId id);

  // An open relay with its port, on its way to another shard (RFC 8016).
  using Relay = SharedReservations::Held;
  // Empty where there is none of that number.
  std::optional<Relay> give_away(turn::RelayId id);
  // False: it cannot be served here, and only waits for close().
  bool take_over(turn::RelayId id, Relay relay);

  // Does nothing when nothing is held under `token`.
  void close_reserved(const turn::ReservationToken& token);
  // Null when it is closed, or its number now belongs to another.
  UdpSocket* find(turn::RelayId id);

 private:
  struct Address {
    IpAddress bound;
    RelayPorts ports;
    bool idle(PortRange all) const { return ports.free() == all.size(); }
  };
  struct Slot {
    std::uint32_t generation = 0;
    turn::ShardNumber home = 0;  // whose port it is
    std::optional<UdpSocket> socket;
  };
  struct Pair {
    UdpSocket first;
    UdpSocket second;
  };

  std::size_t slot_for(const IpAddress& bound);
  std::expected<UdpSocket, turn::RelayFailure> open_on(Address& address, turn::Parity parity);
  std::expected<Pair, turn::RelayFailure> open_pair_on(Address& address);
  std::expected<Endpoint, turn::RelayFailure> keep(turn::RelayId id, SharedReservations::Held held);
  const UdpSocket& put(turn::RelayId id, SharedReservations::Held held);
  void give_back(SharedReservations::Held held);
  void give_back(const Endpoint& port);
  void take_back_ports();

  std::vector<Address> addresses_;    // former ones too, as long as a relay is open there
  std::vector<std::size_t> current_;  // which of them, in order of preference
  std::vector<Slot> slots_;
  PortRange ports_;
  Surroundings around_;
};

}  // namespace yuelao::server

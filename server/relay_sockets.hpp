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
#include "server/tcp_relay.hpp"
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
  // The same for TCP: it listens (RFC 6062).
  std::expected<Endpoint, turn::RelayFailure> open_tcp(turn::RelayId id, Family family);
  // On an even port, with the next higher one held under `token` for whichever shard asks.
  std::expected<Endpoint, turn::RelayFailure> open_pair(turn::RelayId id, Family family,
                                                        const turn::ReservationToken& token);
  // What any shard holds under `token`.
  std::expected<Endpoint, turn::RelayFailure> open_reserved(turn::RelayId id,
                                                            const turn::ReservationToken& token);
  void close(turn::RelayId id);
  // Does nothing when nothing is held under `token`.
  void close_reserved(const turn::ReservationToken& token);
  // Null when it is closed, or its number now belongs to another.
  UdpSocket* find(turn::RelayId id);
  const ListeningSocket* find_listening(turn::RelayId id) const;

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
    std::optional<ListeningSocket> listening{};  // instead, of one for TCP
  };
  struct Pair {
    UdpSocket first;
    UdpSocket second;
  };

  std::size_t slot_for(const IpAddress& bound);
  template <class Open>
  auto open_on(Address& address, turn::Parity parity, Open opener);
  template <class Open, class Keep>
  std::expected<Endpoint, turn::RelayFailure> open_first(Family family, turn::Parity parity,
                                                         Open opener, Keep keeper);
  std::expected<Pair, turn::RelayFailure> open_pair_on(Address& address);
  std::expected<Endpoint, turn::RelayFailure> keep(turn::RelayId id, SharedReservations::Held held);
  std::expected<Endpoint, turn::RelayFailure> keep_listening(turn::RelayId id,
                                                             ListeningSocket socket);
  Slot& slot_of(turn::RelayId id);
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

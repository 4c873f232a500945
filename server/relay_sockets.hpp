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
#include "server/udp_socket.hpp"

namespace yuelao::server {

// The open relays of one shard: their sockets, found by the engine's number for them,
// and the ports that are left.
class RelaySockets {
 public:
  // `ports` is the shard's slice, on each of `addresses`. `poller` and `random` outlive
  // this.
  RelaySockets(const std::vector<turn::RelayAddress>& addresses, PortRange ports, Poller& poller,
               Random& random);

  // Opens relays on these from now on; those that are open stay so.
  void follow(const std::vector<turn::RelayAddress>& addresses);

  // On the first of the family's addresses that has a port left.
  std::expected<Endpoint, turn::RelayFailure> open(turn::RelayId id, Family family,
                                                   turn::Parity parity = turn::Parity::any);
  void close(turn::RelayId id);
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
    std::size_t address = 0;
    std::optional<UdpSocket> socket;
  };

  std::size_t slot_for(const IpAddress& bound);
  std::expected<UdpSocket, turn::RelayFailure> open_on(Address& address, turn::Parity parity);
  std::expected<Endpoint, turn::RelayFailure> keep(turn::RelayId id, std::size_t address,
                                                   UdpSocket socket);

  std::vector<Address> addresses_;    // former ones too, as long as a relay is open there
  std::vector<std::size_t> current_;  // which of them, in order of preference
  std::vector<Slot> slots_;
  PortRange ports_;
  Poller& poller_;
  Random& random_;
};

}  // namespace yuelao::server

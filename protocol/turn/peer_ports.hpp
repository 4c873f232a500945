#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <span>

#include "protocol/port_range.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

// Which ports of peers a client may reach. Closed by default are those that services have which are
// no peer of a call: a relay is not to make queries that somebody else gets the answers of (DNS,
// NTP, memcached), nor to deliver mail. A permission names no port (RFC 8656 §9), so this is asked
// where a port is known: ChannelBind, Send, Connect.
class PeerPorts {
 public:
  explicit PeerPorts(const PeerRules& rules);

  bool allow(RelayTransport transport, std::uint16_t port) const {
    return !closed_.at(slot(transport)).test(port);
  }

 private:
  static constexpr std::size_t slot(RelayTransport transport) {
    return transport == RelayTransport::udp ? 0 : 1;
  }

  std::array<std::bitset<65536>, 2> closed_;
};

// What is closed unless a configuration opens it; for documentation and tests.
std::span<const PortRange> service_ports(RelayTransport transport);

}  // namespace yuelao::turn

#include "protocol/turn/peer_ports.hpp"

namespace yuelao::turn {
namespace {

// The system ports (RFC 6335 §6), but for 443, where media servers stand that have to get through
// firewalls. No peer behind a NAT has one of the others: a NAT keeps a mapping of a port above 1023
// above it (RFC 4787 §4.2.2, REQ-3). Above them only what is worth it: a NAT may give any of those
// to a peer.
constexpr std::array udp_services = {
    PortRange{0, 442},        // DNS, TFTP, portmap, NTP, NetBIOS, SNMP, CLDAP, ...
    PortRange{444, 1023},     // IKE, IPMI, ...
    PortRange{1434, 1434},    // Microsoft SQL Server's browser
    PortRange{1900, 1900},    // SSDP
    PortRange{2049, 2049},    // NFS
    PortRange{3283, 3283},    // Apple Remote Desktop
    PortRange{3389, 3389},    // RDP
    PortRange{3478, 3479},    // STUN and TURN: no relay through a relay
    PortRange{3702, 3702},    // WS-Discovery
    PortRange{5060, 5061},    // SIP
    PortRange{5349, 5351},    // STUN and TURN over DTLS, NAT-PMP
    PortRange{5353, 5353},    // mDNS
    PortRange{5355, 5355},    // LLMNR
    PortRange{5683, 5684},    // CoAP
    PortRange{10001, 10001},  // Ubiquiti's discovery
    PortRange{11211, 11211},  // memcached
    PortRange{17185, 17185},  // VxWorks' debugger
    PortRange{27015, 27015},  // Source engine
    PortRange{27960, 27960},  // Quake III
};

// RFC 6062's relays: what a service answers there, it answers to whoever connects.
constexpr std::array tcp_services = {
    PortRange{0, 442},        // SSH, SMTP, DNS, HTTP, LDAP, ...
    PortRange{444, 1023},     // SMB, submission, ...
    PortRange{1433, 1434},    // Microsoft SQL Server
    PortRange{1521, 1521},    // Oracle
    PortRange{2049, 2049},    // NFS
    PortRange{2375, 2376},    // Docker
    PortRange{3128, 3128},    // HTTP proxies
    PortRange{3306, 3306},    // MySQL
    PortRange{3389, 3389},    // RDP
    PortRange{3478, 3479},    // STUN and TURN
    PortRange{5060, 5061},    // SIP
    PortRange{5349, 5350},    // STUN and TURN over TLS
    PortRange{5432, 5432},    // PostgreSQL
    PortRange{5900, 5900},    // VNC
    PortRange{6379, 6379},    // Redis
    PortRange{6667, 6667},    // IRC
    PortRange{8080, 8080},    // HTTP proxies
    PortRange{9200, 9200},    // Elasticsearch
    PortRange{11211, 11211},  // memcached
    PortRange{27017, 27017},  // MongoDB
};

constexpr std::array transports = {RelayTransport::udp, RelayTransport::tcp};

}  // namespace

std::span<const PortRange> service_ports(RelayTransport transport) {
  if (transport == RelayTransport::udp) return udp_services;
  return tcp_services;
}

PeerPorts::PeerPorts(const PeerRules& rules) {
  const auto set = [&](RelayTransport transport, const PortRange& range, bool closed) {
    for (std::size_t port = range.first; port <= range.last; ++port) {
      closed_.at(slot(transport)).set(port, closed);
    }
  };
  for (const auto transport : transports) {
    for (const auto& range : service_ports(transport)) set(transport, range, true);
    for (const auto& range : rules.deny_ports) set(transport, range, true);
    for (const auto& range : rules.allow_ports) set(transport, range, false);
    closed_.at(slot(transport)).set(0);  // nobody's
  }
}

}  // namespace yuelao::turn

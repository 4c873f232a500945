#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/ip_range.hpp"
#include "protocol/port_range.hpp"
#include "protocol/secret.hpp"
#include "protocol/turn/bandwidth.hpp"

namespace yuelao::turn {

using namespace std::chrono_literals;

// A user with a password that never expires (MiroTalk, Briefing).
struct StaticUser {
  std::string name;  // prepared with stun::opaque_string
  Secret password;   // prepared with stun::opaque_string
};

// Who may allocate. Static users and TURN REST secrets work at the same time; with
// neither, every request that needs credentials is refused.
struct Credentials {
  std::vector<StaticUser> users;
  // Shared secrets of the TURN REST scheme (draft-uberti-behave-turn-rest-00). Several,
  // so that one can be rotated out while its credentials still live.
  std::vector<Secret> rest_secrets;
  // Names that are let in no more, whatever they prove, prepared with stun::opaque_string: of
  // either kind, and of a REST name also what stands behind its expiry and the colon.
  std::vector<std::string> denied_users{};
  // REST user names that expire later than this from now are refused: somebody wrote
  // milliseconds, or wants a credential for ever. Unset, every expiry to come is taken.
  std::optional<std::chrono::seconds> longest_rest_lifetime = 48h;
};

// An address that relays are opened on. `bound` is the one this machine has;
// `advertised` is the one clients are told, different behind a 1:1 NAT.
struct RelayAddress {
  IpAddress advertised;
  IpAddress bound;

  friend bool operator==(const RelayAddress&, const RelayAddress&) = default;
};

// Whom clients have calls with.
enum class PeerMode : std::uint8_t {
  peer_to_peer,  // each other: any public address
  media_server,  // media servers alone, which `allow` names, and each other's relays here
};

// Which peers a client may reach. `allow` wins over `deny`, which adds to the built-in
// list of special-purpose addresses (peer_policy.cpp); so do the ports, for UDP and TCP alike
// (peer_ports.cpp).
struct PeerRules {
  PeerMode mode = PeerMode::peer_to_peer;
  std::vector<IpRange> allow;
  std::vector<IpRange> deny;
  std::vector<PortRange> allow_ports{};
  std::vector<PortRange> deny_ports{};
  // Every address this machine answers on, external ones too: only their live relay
  // ports are legal peers, unless `allow` names them.
  std::vector<IpAddress> own_addresses;
};

struct Limits {
  std::uint32_t allocations = 20'000;
  // 0 = no limit of its own. Meeting systems put many sessions under one name.
  std::uint32_t allocations_per_user = 0;
  // Per client prefix: an IPv4 address, or an IPv6 /64. An office behind one NAT shares it.
  std::uint32_t allocations_per_prefix = 500;
  // Clients at these addresses are not counted by prefix: proxies, each of which stands
  // for many clients.
  std::vector<IpRange> proxies{};
  std::uint32_t permissions_per_allocation = 100;
  std::uint32_t channels_per_allocation = 100;
  // Addresses, and ports of them, that a client begins to talk to, a minute: of one allocation, and
  // of all that one client prefix has. 0 = no limit.
  std::uint32_t new_peers_per_allocation = 120;
  std::uint32_t new_peers_per_prefix = 6'000;
  // TCP connections with peers (RFC 6062): a descriptor each, and buffers of the kernel's. 0 = no
  // limit of a user's own.
  std::uint32_t peer_connections = 5'000;
  std::uint32_t peer_connections_per_user = 0;
  std::uint32_t peer_connections_per_allocation = 16;
  // Payload of UDP relays each way, of one allocation and of the whole server.
  Bandwidth bandwidth_per_allocation = unlimited;
  Bandwidth bandwidth = unlimited;
  // Answers by UDP to requests that nobody's password signs, for each client prefix as above.
  Bandwidth strangers = 16'000;
};

// Where clients are sent that want an allocation while this server drains (RFC 8489 §10).
struct AlternateServer {
  // One a family at most. Port 0 stands for the one that the client has come to here: the
  // client keeps its transport, and with it goes the port.
  std::vector<Endpoint> addresses;
  // A name in the other server's certificate; empty where it is one of this server's too.
  std::string domain;

  // §10: nobody is sent to an address of another family than their own alone.
  bool serves(Family family) const {
    return std::ranges::any_of(
        addresses, [&](const Endpoint& server) { return server.address.family() == family; });
  }
};

// RFC 5780 §6: two addresses of this machine, and two ports that are served on both of them.
struct BehaviorDiscovery {
  // `bound` is the one that this machine has; `advertised` is the one clients are told,
  // different behind a 1:1 NAT.
  struct Address {
    IpAddress advertised;
    IpAddress bound;

    friend bool operator==(const Address&, const Address&) = default;
  };
  // Two of a family, or two of each. Empty: nothing of the RFC is served.
  std::vector<Address> addresses;
  std::array<std::uint16_t, 2> ports{3478, 3479};

  friend bool operator==(const BehaviorDiscovery&, const BehaviorDiscovery&) = default;
};

struct Options {
  // Names the protection space in challenges (RFC 8489 §14.9); clients hash it into
  // their key, so it changes only together with nothing else.
  std::string realm = "yuelao";
  // Sent as SOFTWARE when set. Off: it tells attackers more than it tells anybody else,
  // and makes answers to forged requests longer.
  std::optional<std::string> software;

  // RFC 8656 §7.2. Clients that ask for less get the default.
  std::chrono::seconds default_lifetime = 600s;
  std::chrono::seconds maximum_lifetime = 3600s;

  // How long a 401's nonce may be used. Shorter costs clients a 438 round trip
  // more often; longer lets a captured request be replayed from the same address.
  std::chrono::seconds nonce_lifetime = 10min;
  // Signs nonces, and seals mobility tickets; 32 octets from a cryptographic source. Servers that
  // share it accept each other's nonces.
  Secret nonce_key;

  // RFC 8016: whether a client that asks for a MOBILITY-TICKET gets one, and keeps its relays when
  // its address changes. Off: such a client is told 405 and has to do without.
  bool mobility = false;

  Credentials credentials;
  // RFC 6062: whether relays for TCP are opened. Off, who asks for one is answered with 442.
  bool tcp_relays = false;
  // In order of preference; a family without one answers 440.
  std::vector<RelayAddress> relay_addresses;
  PeerRules peers;
  Limits limits;
  // Without addresses 508 answers instead.
  AlternateServer alternate_server;
  BehaviorDiscovery behavior_discovery;
};

}  // namespace yuelao::turn

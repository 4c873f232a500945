#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"
#include "protocol/stun/channel_number.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/turn/bandwidth.hpp"
#include "protocol/turn/proof.hpp"
#include "protocol/turn/request.hpp"
#include "protocol/turn/reservations.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

inline constexpr std::chrono::seconds permission_lifetime{300};  // RFC 8656 §9
inline constexpr std::chrono::seconds channel_lifetime{600};     // RFC 8656 §12

constexpr Family other(Family family) {
  return family == Family::ipv4 ? Family::ipv6 : Family::ipv4;
}

// Of TokenBucket and PrefixBudget: a call begins with all its candidates at once.
inline constexpr std::chrono::seconds new_peers_burst{60};

// Names an IP address; the peer's port does not matter (RFC 8656 §9).
struct Permission {
  IpAddress peer;
  SteadyTime expires;
  bool live_relays_only = false;  // one of our addresses, whose other ports stay closed
  bool here = false;              // a relay address of ours: sent to as bound, not as advertised

  // The ports there that the client has begun to talk to, the last few of them: peers have one or
  // two.
  bool knows(std::uint16_t port) const { return std::ranges::find(ports, port) != ports.end(); }
  void note(std::uint16_t port) {
    ports[oldest] = port;
    oldest = static_cast<std::uint8_t>((oldest + 1U) % ports.size());
  }
  std::array<std::uint16_t, 8> ports{};
  std::uint8_t oldest = 0;
};

struct ChannelBinding {
  stun::ChannelNumber number;
  Endpoint peer;
  SteadyTime expires;
};

// RFC 6062 §5.2, §5.3: also until a connection is made, and until its client binds it.
inline constexpr std::chrono::seconds connection_wait{30};

// A TCP connection of a relay with a peer (RFC 6062 §5): the peer data connection.
struct PeerConnection {
  enum class State : std::uint8_t {
    connecting,  // ConnectPeer is with the server; the client has no answer yet
    pending,     // waits for ConnectionBind
    bound,       // has its client data connection
  };

  ConnectionId id = 0;
  Endpoint peer;  // as the client names it
  State state = State::connecting;
  SteadyTime expires{};  // of one that is bound: never, unless its peer becomes forbidden
  ReplyTo reply_to{};    // the Connect, while connecting

  bool alive(Now now) const { return now.steady < expires; }
};

// Of an allocation whose client has asked for a ticket (RFC 8016 §3.1.2).
struct Mobility {
  // The Refresh that the newest ticket was given for, to know it again (§3.2.2): its answer may
  // have been lost, and it has none but the old ticket.
  struct Move {
    stun::TransactionId id;
    ClientPath path;
    SteadyTime known_until;
  };

  std::uint32_t sequence = 1;  // of the newest ticket
  std::optional<Move> last{};
};

// RFC 8656 §3.2: one relayed transport address of a client and what may pass through it. A dual
// allocation (§6) is two of these, a relay of each family on one path, each with its own lifetime,
// permissions and channels. Expiry is a comparison with `now`; what has expired is still in the
// lists until something new needs the room.
struct Allocation {
  enum class State : std::uint8_t {
    opening,  // OpenRelay is with the server; the client has no answer yet
    open,
  };

  RelayId id;
  ClientPath path;
  // Where its client moves to (RFC 8016 §3.2.2): data that comes from there ends the move.
  // AllocationTable keeps it, the same for a twin.
  std::optional<ClientPath> next;
  std::optional<Mobility> mobility;
  ReplyTo reply_to;  // the Allocate that made it: a retransmission gets the same answer
  std::string user;
  IpAddress counted;  // the address of its client that the quota counts it under
  Proof proof;
  State state = State::opening;
  Family family = Family::ipv4;
  RelayTransport transport = RelayTransport::udp;
  // The slot of the other relay of a dual allocation. AllocationTable keeps it.
  static constexpr std::uint32_t alone = 0xFFFF'FFFF;
  std::uint32_t twin = alone;
  // Why the client has no relay of the other family, where it asked for both (§7.2 step 9).
  std::optional<stun::ErrorCode> twin_refused;
  // Of the port above, where the client asked to have it reserved.
  std::optional<ReservationToken> reserved;
  Endpoint relayed;  // as advertised; once open
  IpAddress bound;   // where its socket is; once open
  std::chrono::seconds lifetime{};
  SteadyTime expires;
  SteadyTime wakes;         // when the expiry wheel will look at it next
  SteadyTime errors_until;  // until then the client has had all the ICMP errors it may have
  std::uint64_t session = 0;
  std::vector<Permission> permissions;
  std::vector<ChannelBinding> channels;
  std::vector<PeerConnection> connections;  // of a TCP relay
  TokenBucket new_peers;
  // Each way, where bandwidth is limited.
  struct Traffic {
    TokenBucket bucket;
    std::uint64_t octets = 0;  // since bandwidth was shared last, relayed or not
  };
  std::array<Traffic, 2> traffic{};

  Endpoint bound_endpoint() const { return {bound, relayed.port}; }
  bool open(Now now) const { return state == State::open && !expired(now); }
  bool expired(Now now) const { return expires <= now.steady; }

  // Null: none that is alive.
  Permission* permission_for(const IpAddress& peer, Now now) {
    const auto found = std::ranges::find_if(permissions, [&](const Permission& permission) {
      return permission.peer == peer && now.steady < permission.expires;
    });
    return found == permissions.end() ? nullptr : &*found;
  }
  PeerConnection* connection(ConnectionId wanted) {
    const auto found = std::ranges::find(connections, wanted, &PeerConnection::id);
    return found == connections.end() ? nullptr : &*found;
  }
  const ChannelBinding* channel(stun::ChannelNumber number, Now now) const {
    const auto found = std::ranges::find_if(channels, [&](const ChannelBinding& binding) {
      return binding.number == number && now.steady < binding.expires;
    });
    return found == channels.end() ? nullptr : &*found;
  }
  const ChannelBinding* channel_to(const Endpoint& peer, Now now) const {
    const auto found = std::ranges::find_if(channels, [&](const ChannelBinding& binding) {
      return binding.peer == peer && now.steady < binding.expires;
    });
    return found == channels.end() ? nullptr : &*found;
  }
};

}  // namespace yuelao::turn

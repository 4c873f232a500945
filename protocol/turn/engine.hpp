#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <span>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/bytes.hpp"
#include "protocol/now.hpp"
#include "protocol/random.hpp"
#include "protocol/turn/allocation_table.hpp"
#include "protocol/turn/authentication.hpp"
#include "protocol/turn/counters.hpp"
#include "protocol/turn/discovery_sites.hpp"
#include "protocol/turn/expiry_wheel.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/outbox.hpp"
#include "protocol/turn/peer_error.hpp"
#include "protocol/turn/peer_policy.hpp"
#include "protocol/turn/peer_ports.hpp"
#include "protocol/turn/prefix_budget.hpp"
#include "protocol/turn/quota.hpp"
#include "protocol/turn/relay_directory.hpp"
#include "protocol/turn/request.hpp"
#include "protocol/turn/reservations.hpp"
#include "protocol/turn/roaming.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "protocol/turn/ticket.hpp"

namespace yuelao::turn {

// Why a relay could not be opened. Each is answered with 508 (RFC 8656 §7.2).
enum class RelayFailure : std::uint8_t { no_port, no_descriptor, bind_failed };
// Why there is no connection with a peer: 508 for what the server has none left of, 447 for the
// rest (RFC 6062 §5.2).
enum class ConnectFailure : std::uint8_t { failed, timed_out, no_descriptor };

struct AllocateParameters;

// What the shards of one server have in common.
struct Shared {
  Quota& quota;                     // outlives the engines
  const RelayDirectory& directory;  // each engine gets a copy of its own
  Reservations& reservations;       // outlives the engines
  Roaming& roaming;                 // outlives the engines
  BandwidthPool& bandwidth;         // outlives the engines
  ShardNumber shard = 0;            // whose engine it is
  std::size_t shards = 1;           // how many there are
};

// The sans-IO TURN server of one shard: all its state and every decision, no socket,
// clock, lock or log. Entries are called one after another from one thread, each with
// an outbox that has room; what the engine wants done is in the outbox afterwards.
class Engine {
 public:
  // `options` as validated by the configuration; `random` outlives this.
  Engine(const Options& options, Shared shared, Random& random);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // One of the server's listeners, of those that Options::behavior_discovery may be about;
  // before there are clients. `local` is where it is bound. Only a UDP one is ever sent from.
  void add_listener(Transport transport, SocketRef listener, const Endpoint& local) {
    discovery_.add(transport, listener, local);
  }

  // A datagram from a client, or one whole message off a stream (StreamFraming).
  // RFC 7983 §7: the first octet says what it is.
  void on_client_message(const ClientPath& path, Bytes message, Now now, Outbox& out);
  // A datagram that reached the relay's socket. `peer` is its source address.
  void on_peer_datagram(RelayId relay, const Endpoint& peer, Bytes payload, Now now, Outbox& out);
  // The kernel's word of an ICMP packet about a datagram from the relay's socket.
  void on_peer_error(RelayId relay, const PeerError& error, Now now, Outbox& out);
  // What another shard's engine handed over to this one.
  void on_handover(const Handover& handover, Now now, Outbox& out);
  // What another shard's engine passed on to this one.
  void on_forward(const Forward& forward, Now now, Outbox& out);
  // The outcome of OpenRelay or OpenReserved: the endpoint's address is RelayAddress::bound.
  void on_relay_opened(RelayId relay, std::expected<Endpoint, RelayFailure> bound, Now now,
                       Outbox& out);
  // RFC 6062. The outcome of ConnectPeer; from then on the connection waits, unread.
  void on_peer_connected(ConnectionId id, std::expected<void, ConnectFailure> outcome, Now now,
                         Outbox& out);
  // A peer connected to the relay: its connection's number, under which it waits, unread.
  // Empty: close it.
  std::optional<ConnectionId> on_peer_accepted(RelayId relay, const Endpoint& peer, Now now,
                                               Outbox& out);
  // A connection that was bound has ended, by whichever side.
  void on_connection_ended(ConnectionId id);
  // Whether the connection, which is bound, may carry octets. Otherwise ClosePeer follows.
  bool carries_data(ConnectionId id, Now now);
  // Octets that the connection has just carried that way; how long it is to rest after them, so
  // that bandwidth is what it may be (RFC 8656 §5): a stream is held back, and loses nothing.
  std::chrono::nanoseconds on_data_carried(ConnectionId id, Way way, std::size_t octets, Now now);
  // The client's stream or DTLS association ended: RFC 8656 §7.2's allocation on it ends too, but
  // for one whose client has a ticket and may come back until it expires.
  void on_client_closed(const ClientPath& path, Now now, Outbox& out);
  // Gives back what has expired; about once a second. Expiry itself needs no call.
  void advance(Now now, Outbox& out);

  // New options for what comes; sessions that are up stay up, but for those whose credential is
  // configured no more, or denied: they end. Relay addresses do not change this way, but by the
  // directory that was built from them.
  void reconfigure(const Options& options, Outbox& out);
  // New allocations are told what `directory`, a copy of all shards' one, says; those
  // that are up keep their relay. Options whose own addresses fit come right after.
  void readdress(RelayDirectory directory);
  // From now on Allocate is answered with 300 where Options name another server for the
  // client's family, and with 508 where not; everything else goes on.
  void drain() { draining_ = true; }
  // Ends every allocation, as at the end of a drain.
  void close_all(Now now, Outbox& out);

  const Counters& counters() const { return counters_; }
  // For drops that only the server can see.
  Counters& counters() { return counters_; }
  Gauges gauges(Now now) const;
  // A dual allocation counts as two, also with the quota.
  std::size_t allocation_count() const { return allocations_.size(); }
  // A stream without one may be closed when it is idle.
  bool has_allocation(const ClientPath& path) const { return allocations_.contains(path); }

  // True when the tables, counters and expiry agree with each other; for tests and fuzzing.
  bool consistent() const;

 private:
  void serve(const ClientPath& path, Bytes message, Now now, Outbox& out);
  void on_stun(const ClientPath& path, Bytes datagram, Now now, Outbox& out);
  void on_request(const Request& request, Now now, Outbox& out);
  Routed binding(const Request& request) const;
  Routed discover_behavior(const Request& request) const;
  Answer dispatch(const AuthenticatedRequest& request, Now now, Outbox& out);
  Answer on_allocation(const AuthenticatedRequest& request, Now now, Outbox& out);

  // RFC 6062, connect.cpp.
  Answer connect(const ClientRelays& relays, const AuthenticatedRequest& request, Now now,
                 Outbox& out);
  Answer bind_connection(const AuthenticatedRequest& request, Now now, Outbox& out);
  bool permits_connection(const Endpoint& peer) const;
  std::optional<stun::ErrorCode> admit_connection(const Allocation& allocation);
  PeerConnection& begin_connection(Allocation& allocation, const Endpoint& peer,
                                   PeerConnection::State state, Now now);
  ConnectionId next_connection_id();
  Allocation* owner_of(ConnectionId id);
  void attempt_connection(const Allocation& allocation, const PeerConnection& connection,
                          Outbox& out);
  void forget_connection(Allocation& allocation, ConnectionId id);
  void end_connection(Allocation& allocation, ConnectionId id, Outbox& out);
  void end_connections(Allocation& allocation, Outbox& out);
  void end_overdue_connections(Now now, Outbox& out);
  void forbid_connections();
  bool connections_consistent() const;

  // One RFC procedure a file.
  Answer allocate(const AuthenticatedRequest& request, Now now, Outbox& out);
  Answer allocate_again(const Allocation& existing, const AuthenticatedRequest& request, Now now);
  Refusal refusal_while_draining(Family client) const;
  std::optional<Refusal> admit(const AuthenticatedRequest& request);
  std::optional<Refusal> refusal_for(Admission admission);
  Answer open_relays(const AuthenticatedRequest& request, const AllocateParameters& parameters,
                     Now now, Outbox& out);
  Allocation& begin(const AuthenticatedRequest& request, Family family, Now now);
  Allocation& begin_twin(Allocation& first, Now now);
  Answer open_and_reserve(const AuthenticatedRequest& request, Family family, Now now, Outbox& out);
  std::expected<ReservationToken, Refusal> reserve(const AuthenticatedRequest& request,
                                                   Family family, Now now);
  Answer use_reservation(const AuthenticatedRequest& request, const ReservationToken& token,
                         Now now, Outbox& out);
  void end_reservations(SteadyTime expired_by, Outbox& out);
  void end_reservation(const ReservationToken& token, Outbox& out);
  void open(Allocation& allocation, const Endpoint& bound, Outbox& out);
  Answer refresh(const ClientRelays& relays, const AuthenticatedRequest& request, Now now,
                 Outbox& out);
  struct Renewal {
    ClientRelays relays;
    std::chrono::seconds lifetime;  // 0: they end
  };
  std::expected<Renewal, Refusal> renewal_for(const ClientRelays& relays,
                                              const stun::Message& message) const;
  Answer renew(const Renewal& renewal, Now now, Outbox& out);

  // RFC 8016, mobility.cpp.
  Answer move(const AuthenticatedRequest& request, Now now, Outbox& out);
  std::optional<Ticket> ticket_in(const stun::Message& message) const;
  ClientRelays relays_of(const Ticket& ticket, Now now);
  std::optional<Refusal> recount(const ClientRelays& relays, const IpAddress& client);
  void expect(Allocation& allocation, const AuthenticatedRequest& request, Now now);
  void stay(Allocation& allocation);
  void stop_roaming(const ClientPath& path);
  bool may_come_back(Allocation& allocation, const ClientPath& closed, Now now, Outbox& out);
  void note_data_from(const ClientPath& path, Outbox& out);
  void finish_move(Allocation& allocation, Outbox& out);
  SealedTicket seal_ticket(const Allocation& allocation) const;
  bool passes_on(const ClientPath& path, Bytes message, Now now, Outbox& out);
  std::optional<ShardNumber> owner_by_ticket(Bytes message) const;

  Answer create_permission(const ClientRelays& relays, const AuthenticatedRequest& request,
                           Now now);
  Answer bind_channel(const ClientRelays& relays, const AuthenticatedRequest& request, Now now);
  void relay_channel_data(const ClientPath& path, Bytes message, Now now, Outbox& out);
  void relay_send_indication(const ClientPath& path, const stun::Message& message, Now now,
                             Outbox& out);
  struct ToPeer {
    Endpoint peer;
    Bytes payload;
    bool dont_fragment = false;
    bool bound = false;  // over a channel
  };
  void relay_to_peer(const ClientRelays& relays, const ToPeer& data, Now now, Outbox& out);
  void hand_over(const Handover& handover, Now now, Outbox& out);
  struct Rates {
    Bandwidth of_allocation;
    Bandwidth of_shard;
  };
  Rates note_traffic(Allocation& allocation, Way way, std::size_t octets);
  bool spend(Allocation& allocation, Way way, std::size_t octets, Now now);
  void share_bandwidth(Now now);
  void relay_to_client(Allocation* allocation, const Endpoint& source, Bytes payload, Now now,
                       Outbox& out);

  void reply(const ReplyTo& to, const Answer& answer, const ClientPath& path,
             const stun::LongTermKey* key, Now now, Outbox& out);
  void count(stun::Method method, const Answer& answer);
  void drop(Drop reason) { ++counters_.drops[static_cast<std::size_t>(reason)]; }

  // Nobody answers an indication, so its id need not be unpredictable, only unlike others.
  stun::TransactionId next_indication_id();
  Bytes data_indication_header(const Endpoint& peer, std::size_t payload_size, Outbox& out);

  std::chrono::seconds initial_lifetime(const stun::Message& message) const;
  Success allocated(const Allocation& allocation, Now now);
  // What the client has open; none where it has nothing.
  ClientRelays open_relays_of(const ClientPath& path, Now now);
  void wake_at_expiry(Allocation& allocation, Now now);
  void end_if_expired(const ClientPath& path, Now now, Outbox& out);
  void end_if_expired(Allocation& allocation, Now now, Outbox& out);
  void end(Allocation& allocation, Notice::Event event, Outbox& out);
  void end_revoked(Outbox& out);
  Notice notice(const Allocation& allocation, Notice::Event event) const;

  // Whether a permission or channel to `peer` may stand: 403 otherwise.
  bool permits_address(const IpAddress& peer) const;
  bool permits_endpoint(const Endpoint& peer) const;
  bool live_relays_only(const IpAddress& peer) const;
  // How many of the peers are of its family, and have no permission yet.
  std::size_t new_among(Allocation& allocation, std::span<const IpAddress> peers, Now now) const;
  bool has_room_for(const Allocation& allocation, std::size_t permissions) const;
  Permission& grant(Allocation& allocation, const IpAddress& peer, Now now);
  bool bind(Allocation& allocation, stun::ChannelNumber number, const Endpoint& peer, Now now);
  void forget_forbidden_peers();
  bool may_be_client(const FiveTuple& tuple) const;

  // new_peers.cpp.
  bool admit_new_peers(Allocation& allocation, std::size_t count, Now now);
  bool admit_port(Allocation& allocation, Permission& permission, std::uint16_t port, Now now);

  Options options_;
  Quota& quota_;
  RelayDirectory directory_;
  Reservations& reservations_;
  Roaming& roaming_;
  BandwidthPool& bandwidth_;
  ShardNumber shard_;
  std::size_t shards_;
  Random& random_;
  Authentication authentication_;
  PeerPolicy policy_;
  PeerPorts ports_;
  TicketSealer tickets_;
  DiscoverySites discovery_;
  AllocationTable allocations_;
  ExpiryWheel expiry_;
  struct Reserved {
    ReservationToken token;
    SteadyTime expires;
  };
  std::deque<Reserved> reserved_;  // by this engine, used since or not
  boost::unordered_flat_map<ConnectionId, RelayId> connections_;
  // Of what this shard may relay, each way.
  struct Share {
    Bandwidth all = unlimited;
    Bandwidth each = unlimited;  // of its allocations
    TokenBucket bucket;
  };
  std::array<Share, 2> shares_{};
  SteadyTime shared_at_{};
  Counters counters_;
  std::uint64_t indications_;  // seeded at random, counts Data indications
  // How much is sent to whoever has shown nothing, by UDP, where the source may be forged: so
  // little that nobody is worth being reflected at.
  PrefixBudget strangers_;
  PrefixBudget scanners_;
  bool draining_ = false;
};

}  // namespace yuelao::turn

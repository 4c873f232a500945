// RFC 6062 §5: TCP connections of a relay with peers. What they carry goes from socket to socket;
// the engine decides which there are, and for how long.

#include <algorithm>
#include <array>
#include <vector>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;
using State = PeerConnection::State;

bool over_stream(const FiveTuple& tuple) {
  return tuple.transport == Transport::tcp || tuple.transport == Transport::tls;
}

}  // namespace

// §5.2.
Answer Engine::connect(const ClientRelays& relays, const AuthenticatedRequest& request, Now now,
                       Outbox& out) {
  // A relay for UDP is no allocation to connect from.
  if (relays.any().transport != RelayTransport::tcp) {
    return Refusal{ErrorCode::allocation_mismatch};
  }
  const auto peer = request.message().get(attribute::xor_peer_address);
  if (!peer) return Refusal{ErrorCode::bad_request};
  auto* const relay = relays.of(peer->address.family());
  if (relay == nullptr) return Refusal{ErrorCode::peer_address_family_mismatch};

  // One that came from the peer counts too: there is one connection to a transport address (§3).
  if (const auto known = std::ranges::find(relay->connections, *peer, &PeerConnection::peer);
      known != relay->connections.end()) {
    if (known->alive(now)) return Refusal{ErrorCode::connection_already_exists};
    if (known->state == State::connecting) return Refusal{ErrorCode::connection_already_exists};
    end_connection(*relay, known->id, out);
  }
  if (!permits_connection(*peer)) return Refusal{ErrorCode::forbidden};
  if (!admit_new_peers(*relay, 1, now)) return Refusal{ErrorCode::insufficient_capacity};
  if (const auto code = admit_connection(*relay)) return Refusal{*code};

  auto& connection = begin_connection(*relay, *peer, State::connecting, now);
  connection.reply_to = ReplyTo::from(request.message());
  out.command(ConnectPeer{connection.id, relay->id, directory_.to_bound(*peer)});
  return Deferred{};
}

// As for a channel: of our own addresses only live relays, here those that take connections.
bool Engine::permits_connection(const Endpoint& peer) const {
  const auto verdict = policy_.judge(peer.address);
  if (verdict == PeerPolicy::Verdict::forbidden) return false;
  if (directory_.takes_connections(peer)) return true;
  return verdict == PeerPolicy::Verdict::allowed && ports_.allow(RelayTransport::tcp, peer.port);
}

// Counted with the quota until forget_connection(). The code to refuse it with, else.
std::optional<ErrorCode> Engine::admit_connection(const Allocation& allocation) {
  const auto limit = options_.limits.peer_connections_per_allocation;
  if (allocation.connections.size() >= limit) return ErrorCode::insufficient_capacity;
  switch (quota_.admit_connection(allocation.user)) {
    case Admission::admitted:
      return std::nullopt;
    case Admission::user_full:
      return ErrorCode::allocation_quota_reached;
    default:
      return ErrorCode::insufficient_capacity;
  }
}

PeerConnection& Engine::begin_connection(Allocation& allocation, const Endpoint& peer, State state,
                                         Now now) {
  const auto id = next_connection_id();
  connections_.emplace(id, allocation.id);
  return allocation.connections.emplace_back(PeerConnection{
      .id = id, .peer = peer, .state = state, .expires = now.steady + connection_wait});
}

// Whoever binds a connection has to be its user as well; nobody learns from a number how many
// there are.
ConnectionId Engine::next_connection_id() {
  while (true) {
    std::array<std::byte, 4> drawn{};
    random_.fill(MutableBytes{drawn}.last(3));
    drawn[0] = static_cast<std::byte>(shard_);
    const ConnectionId id = load_u32(drawn);
    if (!connections_.contains(id)) return id;
  }
}

void Engine::on_peer_connected(ConnectionId id, std::expected<void, ConnectFailure> outcome,
                               Now now, Outbox& out) {
  auto* const relay = owner_of(id);
  // The allocation has ended meanwhile, and ClosePeer is on its way.
  if (relay == nullptr) return;
  auto& connection = *relay->connection(id);
  const auto to = connection.reply_to;
  Answer answer = Success{.connection = id};
  if (outcome && connection.alive(now)) {
    connection.state = State::pending;
    connection.expires = now.steady + connection_wait;
    ++counters_.peer_connections_made;
  } else {
    const bool none_left = !outcome && outcome.error() == ConnectFailure::no_descriptor;
    answer = Refusal{none_left ? ErrorCode::insufficient_capacity
                               : ErrorCode::connection_timeout_or_failure};
    if (outcome) out.command(ClosePeer{id});
    forget_connection(*relay, id);
  }
  reply(to, answer, relay->path, &relay->proof.key, now, out);
}

// §5.3. Accepted it is already: that is for the kernel to say.
std::optional<ConnectionId> Engine::on_peer_accepted(RelayId id, const Endpoint& source, Now now,
                                                     Outbox& out) {
  const auto refuse = [this](Drop reason) {
    drop(reason);
    return std::nullopt;
  };
  auto* const relay = allocations_.find(id);
  if (relay == nullptr || !relay->open(now) || relay->transport != RelayTransport::tcp) {
    return refuse(Drop::no_allocation);
  }
  const auto peer = directory_.to_advertised(source);
  if (relay->permission_for(peer.address, now) == nullptr) return refuse(Drop::no_permission);
  if (std::ranges::find(relay->connections, peer, &PeerConnection::peer) !=
          relay->connections.end() ||
      admit_connection(*relay)) {
    return refuse(Drop::connection_limit);
  }
  const auto& connection = begin_connection(*relay, peer, State::pending, now);
  ++counters_.peer_connections_accepted;
  attempt_connection(*relay, connection, out);
  return connection.id;
}

void Engine::attempt_connection(const Allocation& allocation, const PeerConnection& connection,
                                Outbox& out) {
  stun::MessageWriter writer{out.scratch(), stun::Method::connection_attempt,
                             stun::Class::indication, next_indication_id()};
  const auto size = writer.add(attribute::xor_peer_address, connection.peer)
                        .add(attribute::connection_id, connection.id)
                        .finish()
                        .size();
  out.send({.from = allocation.path.socket,
            .source = allocation.path.tuple.server.address,
            .to = allocation.path.tuple.client,
            .prefix = out.keep(size),
            .payload = {}});
}

// §5.4. A stream with an allocation goes on to be its control connection.
Answer Engine::bind_connection(const AuthenticatedRequest& request, Now now, Outbox& out) {
  const auto id = request.message().get(attribute::connection_id);
  if (!over_stream(request.tuple()) || !id || allocations_.contains(request.path())) {
    return Refusal{ErrorCode::bad_request};
  }
  if (shard_of(*id) != shard_ && shard_of(*id) < shards_) {
    out.command(MoveClient{request.path().socket, shard_of(*id)});
    return Deferred{};
  }
  auto* const relay = owner_of(*id);
  auto* const connection = relay == nullptr ? nullptr : relay->connection(*id);
  if (connection == nullptr || connection->state != State::pending || !connection->alive(now) ||
      !relay->open(now)) {
    return Refusal{ErrorCode::bad_request};
  }
  if (relay->user != request.user()) return Refusal{ErrorCode::wrong_credentials};
  connection->state = State::bound;
  connection->expires = SteadyTime::max();
  out.command(BindPeer{*id, request.path().socket});
  return Success{};
}

bool Engine::carries_data(ConnectionId id, Now now) {
  auto* const relay = owner_of(id);
  return relay != nullptr && relay->open(now) && relay->connection(id)->alive(now);
}

void Engine::on_connection_ended(ConnectionId id) {
  if (auto* const relay = owner_of(id)) forget_connection(*relay, id);
}

Allocation* Engine::owner_of(ConnectionId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : allocations_.find(found->second);
}

void Engine::forget_connection(Allocation& allocation, ConnectionId id) {
  std::erase_if(allocation.connections, [id](const auto& one) { return one.id == id; });
  connections_.erase(id);
  quota_.release_connection(allocation.user);
}

void Engine::end_connection(Allocation& allocation, ConnectionId id, Outbox& out) {
  out.command(ClosePeer{id});
  forget_connection(allocation, id);
}

// §5.5.
void Engine::end_connections(Allocation& allocation, Outbox& out) {
  while (!allocation.connections.empty()) {
    end_connection(allocation, allocation.connections.back().id, out);
  }
}

// A Connect is answered when the server has given it up: an input has one answer at most.
void Engine::end_overdue_connections(Now now, Outbox& out) {
  std::vector<ConnectionId> overdue;
  for (const auto& [id, relay] : connections_) {
    if (!owner_of(id)->connection(id)->alive(now)) overdue.push_back(id);
  }
  // Not in the table's order, which is its implementation's: a recorded session replays anywhere.
  std::ranges::sort(overdue);
  for (const auto id : overdue) {
    auto& relay = *owner_of(id);
    if (relay.connection(id)->state == State::connecting) {
      out.command(CancelConnect{id});
    } else {
      end_connection(relay, id, out);
    }
  }
}

// After new peer rules. Octets stop at once; the next advance() ends the rest.
void Engine::forbid_connections() {
  allocations_.for_each([this](Allocation& allocation) {
    for (auto& connection : allocation.connections) {
      if (!permits_address(connection.peer.address)) connection.expires = SteadyTime::min();
    }
  });
}

bool Engine::connections_consistent() const {
  std::size_t count = 0;
  bool sound = true;
  allocations_.for_each([&](const Allocation& allocation) {
    count += allocation.connections.size();
    for (const auto& connection : allocation.connections) {
      const auto found = connections_.find(connection.id);
      sound &= found != connections_.end() && found->second == allocation.id;
      sound &= shard_of(connection.id) == shard_;
    }
  });
  return sound && count == connections_.size();
}

}  // namespace yuelao::turn

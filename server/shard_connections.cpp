// What a shard does with the TCP connections of its relays (RFC 6062).
#include <cerrno>
#include <tuple>
#include <utility>

#include "server/shard.hpp"
#include "server/tcp_relay.hpp"

namespace yuelao::server {
namespace {

using turn::SocketRef;

// What one relay may take of a round before the others have had theirs.
constexpr int accept_visit = 8;

}  // namespace

void Shard::visit_tcp_relay(const Poller::Event& event, Now now) {
  const turn::RelayId id{event.ref.index, event.ref.generation};
  for (int i = 0; i < accept_visit; ++i) {
    const auto* const relay = relays_.find_listening(id);
    if (relay == nullptr) return;
    auto accepted = accept_peer(*relay);
    if (!accepted) {
      // While no descriptor is left the waiting peer keeps the relay readable.
      if (out_of_resources(accepted.error())) {
        std::ignore = poller_->watch(relay->descriptor.value(), event.ref, Poller::Interest::none);
        resting_.push_back(id);
      }
      // A peer that changed its mind is no reason to stop.
      if (accepted.error().value() == ECONNABORTED) continue;
      return;
    }
    make_room();
    if (const auto known = engine_.on_peer_accepted(id, accepted->peer, now, outbox_)) {
      peers_.keep(*known, std::move(accepted->socket));
    }
  }
}

void Shard::wake_resting_relays() {
  for (const auto id : std::exchange(resting_, {})) {
    const auto* const relay = relays_.find_listening(id);
    if (relay == nullptr) continue;
    if (poller_->watch(relay->descriptor.value(), SocketRef::tcp_relay(id),
                       Poller::Interest::read)) {
      resting_.push_back(id);
    }
  }
}

void Shard::visit_connection(const Poller::Event& event, Now now) {
  const turn::ConnectionId id = event.ref.generation;
  if (peers_.connecting(id)) {
    make_room();
    return engine_.on_peer_connected(id, peers_.connected(id), now, outbox_);
  }
  auto* const data = peers_.bound(id);
  if (data == nullptr) return;
  const bool goes_on =
      engine_.carries_data(id, now) &&
      data->visit(event, pool_.take_slot().first(StreamEnd::room_bytes), now, engine_.counters());
  if (!goes_on) return end_connection(id);
  hold_back(id, *data, now);
}

// RFC 8656 §5, of a stream: what is more than it may carry waits with its sender.
void Shard::hold_back(turn::ConnectionId id, DataConnection& data, Now now) {
  for (const auto way : {turn::Way::to_peer, turn::Way::to_client}) {
    const auto octets = data.take_carried(way);
    if (octets == 0) continue;
    const auto rest = engine_.on_data_carried(id, way, octets, now);
    if (rest <= rest.zero()) continue;
    data.rest(way);
    rests_.push_back({now.steady + rest, id, way});
  }
}

void Shard::wake_rested_data(Now now) {
  std::vector<Rest> over;
  std::erase_if(rests_, [&](const Rest& rest) {
    if (now.steady < rest.until) return false;
    over.push_back(rest);
    return true;
  });
  for (const auto& rest : over) {
    auto* const data = peers_.bound(rest.id);
    if (data != nullptr && !data->wake(rest.way)) end_connection(rest.id);
  }
}

void Shard::end_connection(turn::ConnectionId id) {
  engine_.on_connection_ended(id);
  close_connection(id);
}

void Shard::close_connection(turn::ConnectionId id) { peers_.close(id); }

void Shard::carry_out(const turn::ConnectPeer& command, Now now) {
  const auto* const relay = relays_.find_listening(command.relay);
  if (relay == nullptr) return;
  const auto progress = peers_.connect(command.id, relay->local, command.peer);
  if (progress == PeerConnections::Progress::under_way) return;
  make_room();
  if (progress) {
    engine_.on_peer_connected(command.id, {}, now, outbox_);
  } else {
    engine_.on_peer_connected(command.id, std::unexpected{progress.error()}, now, outbox_);
  }
}

void Shard::carry_out(const turn::CancelConnect& command, Now now) {
  peers_.close(command.id);
  make_room();
  engine_.on_peer_connected(command.id, std::unexpected{turn::ConnectFailure::timed_out}, now,
                            outbox_);
}

void Shard::carry_out(const turn::BindPeer& command, Now now) {
  auto* const client = streams_.find(command.stream);
  if (client == nullptr) return end_connection(command.id);
  auto arrival = client->depart();
  streams_.remove(command.stream);
  auto* const data = peers_.bind(command.id, arrival);
  if (data == nullptr || !data->start(engine_.counters())) return end_connection(command.id);
  hold_back(command.id, *data, now);
}

void Shard::carry_out(const turn::ClosePeer& command, Now) { close_connection(command.id); }

void Shard::carry_out(const turn::MoveClient& command, Now) {
  if (command.client.kind == SocketRef::Kind::association) return move_association(command);
  auto* const client = streams_.find(command.client);
  if (client == nullptr) return;
  auto arrival = client->depart();
  streams_.remove(command.client);
  others_(command.shard).take_over(std::move(arrival));
}

void Shard::take_over(Arrival arrival) {
  tasks_.post([this, arrival = std::move(arrival)]() mutable { on_arrival(std::move(arrival)); });
}

// What goes with the stream, where the message decided last takes it away: to its peer, or to
// another shard.
std::optional<Bytes> Shard::taken_along(SocketRef stream, Bytes received, std::size_t consumed) {
  if (outbox_.commands().empty()) return std::nullopt;
  const auto& last = outbox_.commands().back();
  const auto* const bind = std::get_if<turn::BindPeer>(&last);
  if (bind != nullptr && bind->stream == stream) return received.subspan(consumed);
  if (moves(stream)) return received;
  return std::nullopt;
}

// Whether what was decided last takes the client to another shard.
bool Shard::moves(SocketRef client) const {
  if (outbox_.commands().empty()) return false;
  const auto* const move = std::get_if<turn::MoveClient>(&outbox_.commands().back());
  return move != nullptr && move->client == client;
}

}  // namespace yuelao::server

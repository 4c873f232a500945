#include "server/peer_connections.hpp"

#include <tuple>
#include <utility>

#include "server/tcp_relay.hpp"

namespace yuelao::server {
namespace {

turn::ConnectFailure failure_of(std::error_code error) {
  return out_of_resources(error) ? turn::ConnectFailure::no_descriptor
                                 : turn::ConnectFailure::failed;
}

}  // namespace

std::expected<PeerConnections::Progress, turn::ConnectFailure> PeerConnections::connect(
    turn::ConnectionId id, const Endpoint& relay, const Endpoint& peer) {
  auto begun = connect_from(relay, peer);
  if (!begun) return std::unexpected{failure_of(begun.error())};
  auto& [socket, done] = *begun;
  if (!done) {
    const auto error =
        poller_.watch(socket.value(), turn::SocketRef::peer(id), Poller::Interest::write);
    if (error) return std::unexpected{failure_of(error)};
  }
  entries_.emplace(id, Entry{.waiting = std::move(socket), .connecting = !done});
  return done ? Progress::done : Progress::under_way;
}

bool PeerConnections::connecting(turn::ConnectionId id) const {
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.connecting;
}

std::expected<void, turn::ConnectFailure> PeerConnections::connected(turn::ConnectionId id) {
  auto& entry = entries_.at(id);
  entry.connecting = false;
  std::ignore =
      poller_.watch(entry.waiting.value(), turn::SocketRef::peer(id), Poller::Interest::none);
  if (const auto error = connect_error(entry.waiting)) {
    entries_.erase(id);
    return std::unexpected{failure_of(error)};
  }
  return {};
}

DataConnection* PeerConnections::bind(turn::ConnectionId id, Arrival& client) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.waiting.open()) return nullptr;
  auto& entry = found->second;
  entry.data = std::make_unique<DataConnection>(id, std::move(client), std::move(entry.waiting),
                                                poller_, buffers_);
  ++bound_count_;
  return entry.data.get();
}

DataConnection* PeerConnections::bound(turn::ConnectionId id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second.data.get();
}

std::vector<turn::ConnectionId> PeerConnections::overdue(Now now) const {
  std::vector<turn::ConnectionId> ids;
  for (const auto& [id, entry] : entries_) {
    if (entry.data && entry.data->overdue(now)) ids.push_back(id);
  }
  return ids;
}

void PeerConnections::close(turn::ConnectionId id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  if (found->second.data) --bound_count_;
  entries_.erase(found);
}

}  // namespace yuelao::server

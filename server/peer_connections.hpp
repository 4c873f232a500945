#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/endpoint.hpp"
#include "protocol/turn/engine.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "server/data_connection.hpp"
#include "server/file_descriptor.hpp"
#include "server/poller.hpp"

namespace yuelao::server {

// The TCP connections that the relays of one shard have with peers (RFC 6062), found by the
// engine's numbers for them. One that waits for its client is in no poller: what the peer sends
// stays in the kernel, which holds the peer back when its window is full.
class PeerConnections {
 public:
  // The poller outlives this.
  explicit PeerConnections(Poller& poller) : poller_{poller} {}

  enum class Progress : std::uint8_t { done, under_way };
  // From the relay's own port. While it is under way the poller tells when there is an outcome.
  std::expected<Progress, turn::ConnectFailure> connect(turn::ConnectionId id,
                                                        const Endpoint& relay,
                                                        const Endpoint& peer);
  bool connecting(turn::ConnectionId id) const;
  // The outcome of one that was under way.
  std::expected<void, turn::ConnectFailure> connected(turn::ConnectionId id);
  // One that a peer made.
  void keep(turn::ConnectionId id, FileDescriptor socket) {
    entries_.emplace(id, Entry{std::move(socket)});
  }

  // Null, and `client` as it was, where there is none that waits.
  DataConnection* bind(turn::ConnectionId id, Arrival& client);
  // Null where none is bound.
  DataConnection* bound(turn::ConnectionId id);
  std::size_t bound_count() const { return bound_count_; }
  std::vector<turn::ConnectionId> overdue(Now now) const;

  // With its client's side, where one is bound.
  void close(turn::ConnectionId id);

 private:
  struct Entry {
    FileDescriptor waiting;
    bool connecting = false;
    std::unique_ptr<DataConnection> data{};
  };

  Poller& poller_;
  StreamBuffers buffers_;
  boost::unordered_flat_map<turn::ConnectionId, Entry> entries_;
  std::size_t bound_count_ = 0;
};

}  // namespace yuelao::server

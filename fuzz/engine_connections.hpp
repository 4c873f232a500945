#pragma once

#include <algorithm>
#include <iterator>
#include <optional>

#include <boost/container/flat_map.hpp>

#include "fuzz/promise.hpp"
#include "protocol/turn/outbox.hpp"
#include "protocol/turn/peer_policy.hpp"
#include "protocol/turn/peer_ports.hpp"
#include "protocol/turn/relay_directory.hpp"

namespace yuelao::turn {

// The engine fuzzer's model of TCP connections with peers (RFC 6062), and what the engine promises
// of each.
class Connections {
 public:
  enum class State : std::uint8_t { connecting, pending, bound };

  void connect(const ConnectPeer& command, const PeerRules& rules, const PeerPorts& ports,
               const RelayDirectory& directory) {
    const auto& [address, port] = command.peer;
    const bool legal = PeerPolicy{rules}.judge(address) == PeerPolicy::Verdict::allowed &&
                       ports.allow(RelayTransport::tcp, port);
    fuzz::promise(legal || directory.takes_connections(command.peer),
                  "only legal peers and relays of our own are connected to");
    add(command.id, command.relay, State::connecting);
  }
  void accept(ConnectionId id, RelayId relay) { add(id, relay, State::pending); }
  void outcome(ConnectionId id, bool made) {
    if (made) {
      connections_.at(id).state = State::pending;
    } else {
      connections_.erase(id);
    }
  }
  void cancel(ConnectionId id) {
    fuzz::promise(connections_.at(id).state == State::connecting, "what is over is not cancelled");
    connections_.erase(id);
  }
  void bind(const BindPeer& command) {
    auto& state = connections_.at(command.id).state;
    fuzz::promise(state == State::pending, "a connection is bound once");
    fuzz::promise(command.stream.kind == SocketRef::Kind::stream, "data flow over streams alone");
    state = State::bound;
  }
  void close(ConnectionId id) {
    fuzz::promise(connections_.erase(id) == 1, "a connection is closed once");
  }

  // One in that state.
  std::optional<ConnectionId> any(State wanted) const {
    for (const auto& [id, connection] : connections_) {
      if (connection.state == wanted) return id;
    }
    return std::nullopt;
  }
  // One of them, or a number that nobody has.
  ConnectionId pick(unsigned choice) const {
    return choice < connections_.size() ? std::next(connections_.begin(), choice)->first : choice;
  }
  // Whether it is true of the relay of each.
  bool all(auto&& is_true) const {
    return std::ranges::all_of(connections_,
                               [&](const auto& one) { return is_true(one.second.relay); });
  }
  std::size_t size() const { return connections_.size(); }
  bool empty() const { return connections_.empty(); }

 private:
  struct Connection {
    RelayId relay;
    State state;
  };

  void add(ConnectionId id, RelayId relay, State state) {
    const bool is_new = connections_.emplace(id, Connection{relay, state}).second;
    fuzz::promise(is_new, "a number is used once");
  }

  boost::container::flat_map<ConnectionId, Connection> connections_;
};

}  // namespace yuelao::turn

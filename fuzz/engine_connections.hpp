#pragma once

#include <iterator>
#include <map>
#include <optional>

#include "fuzz/promise.hpp"
#include "protocol/turn/outbox.hpp"
#include "protocol/turn/peer_policy.hpp"
#include "protocol/turn/relay_directory.hpp"

namespace yuelao::turn {

// The engine fuzzer's model of TCP connections with peers (RFC 6062), and what the engine promises
// of each.
class Connections {
 public:
  enum class State : std::uint8_t { connecting, pending, bound };

  void connect(const ConnectPeer& command, const PeerRules& rules,
               const RelayDirectory& directory) {
    fuzz::promise(PeerPolicy{rules}.judge(command.peer.address) == PeerPolicy::Verdict::allowed ||
                      directory.takes_connections(command.peer),
                  "only legal peers and relays of our own are connected to");
    add(command.id, State::connecting);
  }
  void accept(ConnectionId id) { add(id, State::pending); }
  void outcome(ConnectionId id, bool made) {
    if (made) {
      states_.at(id) = State::pending;
    } else {
      states_.erase(id);
    }
  }
  void cancel(ConnectionId id) {
    fuzz::promise(states_.at(id) == State::connecting, "what is over is not cancelled");
    states_.erase(id);
  }
  void bind(const BindPeer& command) {
    auto& state = states_.at(command.id);
    fuzz::promise(state == State::pending, "a connection is bound once");
    fuzz::promise(command.stream.kind == SocketRef::Kind::stream, "data flow over streams alone");
    state = State::bound;
  }
  void close(ConnectionId id) {
    fuzz::promise(states_.erase(id) == 1, "a connection is closed once");
  }

  // One in that state.
  std::optional<ConnectionId> any(State wanted) const {
    for (const auto& [id, state] : states_) {
      if (state == wanted) return id;
    }
    return std::nullopt;
  }
  // One of them, or a number that nobody has.
  ConnectionId pick(unsigned choice) const {
    return choice < states_.size() ? std::next(states_.begin(), choice)->first : choice;
  }
  std::size_t size() const { return states_.size(); }
  bool empty() const { return states_.empty(); }

 private:
  void add(ConnectionId id, State state) {
    fuzz::promise(states_.emplace(id, state).second, "a number is used once");
  }

  std::map<ConnectionId, State> states_;
};

}  // namespace yuelao::turn

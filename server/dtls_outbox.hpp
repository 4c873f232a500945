#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "protocol/turn/outbox.hpp"
#include "server/datagrams.hpp"

namespace yuelao::server {

// The encrypted datagrams of a round, and the handshakes', each with where it goes.
class DtlsOutbox {
 public:
  // Where the datagrams of one client go, and from which of our addresses.
  struct Route {
    turn::SocketRef listener;
    IpAddress source;
    Endpoint to;
  };

  // What one call to a session may add is no more than a flight of a handshake.
  bool has_room() const { return datagrams_.count() < turn::Outbox::send_limit; }
  bool empty() const { return datagrams_.count() == 0; }

  // To add to; then address() says whose they are.
  Datagrams& datagrams() { return datagrams_; }
  void address(const Route& route) { routes_.resize(datagrams_.count(), route); }

  // All of them as sends. They live until the next call of anything here.
  std::span<const turn::Send> sends() {
    sends_.clear();
    for (std::size_t i = 0; i < routes_.size(); ++i) {
      const auto& [listener, source, to] = routes_[i];
      sends_.push_back(
          {.from = listener, .source = source, .to = to, .prefix = datagrams_[i], .payload = {}});
    }
    return sends_;
  }
  void clear() {
    datagrams_.clear();
    routes_.clear();
  }

 private:
  Datagrams datagrams_;
  std::vector<Route> routes_;
  std::vector<turn::Send> sends_;
};

}  // namespace yuelao::server

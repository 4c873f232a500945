#pragma once

#include <vector>

#include "config/config.hpp"
#include "protocol/endpoint.hpp"
#include "server/stream_listener.hpp"
#include "server/udp_socket.hpp"

namespace yuelao::server {

// A transport and address that clients are served on.
struct Listening {
  Transport transport;
  Endpoint at;
};

// One shard's share of the listeners.
struct ShardListeners {
  struct Stream {
    Transport transport;
    ListeningSocket socket;
  };
  std::vector<UdpSocket> datagrams;
  std::vector<Stream> streams;
};

struct Listeners {
  std::vector<Listening> addresses;    // one a listener, however many shards
  std::vector<ShardListeners> shards;  // as many as asked for
};

// Opens every listener for every shard, and those besides that `discovery` needs: each of its
// addresses with each of its ports, for UDP, and for TCP where `wanted` has any. The kernel spreads
// clients over the sockets of a port, and moves none while the group stays as it is. Throws
// StartError; its sentence names the program that holds a port, where that can be found out.
Listeners open_listeners(const std::vector<config::Listen>& wanted, unsigned shards,
                         const turn::BehaviorDiscovery& discovery = {});

}  // namespace yuelao::server

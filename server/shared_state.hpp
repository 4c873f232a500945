#pragma once

#include <cstddef>

#include "config/config.hpp"
#include "protocol/turn/bandwidth.hpp"
#include "protocol/turn/engine.hpp"
#include "server/connection_limit.hpp"
#include "server/mailbox.hpp"
#include "server/shared_quota.hpp"
#include "server/shared_reservations.hpp"
#include "server/shared_roaming.hpp"

namespace yuelao::server {

inline ConnectionLimit::Bounds connection_bounds(const config::Config& config) {
  return {config.connections, config.connections_per_client, config.proxies};
}

// What the shards of one server have in common. Each part is for all threads.
struct SharedState {
  SharedState(const config::Config& config, std::size_t count)
      : shards{count},
        quota{config.turn.limits},
        connections{connection_bounds(config)},
        mailboxes{count},
        reservations{count},
        bandwidth{count} {}

  // For the engine of one shard.
  turn::Shared of(turn::ShardNumber shard, const turn::RelayDirectory& directory) {
    return {quota, directory, reservations, roaming, bandwidth, shard, shards};
  }

  std::size_t shards;
  SharedQuota quota;
  ConnectionLimit connections;
  Mailboxes mailboxes;
  SharedReservations reservations;
  SharedRoaming roaming;
  turn::BandwidthPool bandwidth;
};

}  // namespace yuelao::server

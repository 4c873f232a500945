#pragma once

#include <chrono>
#include <vector>

#include "server/metrics.hpp"

namespace yuelao::server {

// Two shards with a different number in every place, so that a value that is read from
// the wrong place shows.
inline std::vector<ShardSnapshot> sample_shards() {
  ShardSnapshot shard;
  std::uint64_t next = 1;
  const auto fill = [&](auto& slots) {
    for (auto& slot : slots) slot = next++;
  };
  auto& counters = shard.counters;
  fill(counters.requests_succeeded);
  fill(counters.requests_refused);
  fill(counters.errors);
  fill(counters.drops);
  counters.client_to_peer = {next, next + 1};
  counters.peer_to_client = {next + 2, next + 3};
  next += 4;
  for (auto* counter :
       {&counters.tcp_client_to_peer_bytes, &counters.tcp_peer_to_client_bytes,
        &counters.peer_connections_made, &counters.peer_connections_accepted,
        &counters.allocations_created, &counters.allocations_expired, &counters.allocations_revoked,
        &counters.allocations_moved, &counters.quota_refused_user, &counters.quota_refused_prefix,
        &counters.quota_refused_total}) {
    *counter = next++;
  }
  for (auto& families : shard.gauges.allocations) fill(families);
  shard.gauges.permissions = next++;
  shard.gauges.channels = next++;
  fill(shard.gauges.peer_connections);
  shard.gauges.mobile = next++;
  auto& meters = shard.meters;
  for (auto* meter :
       {&meters.receive_overflows, &meters.connections_accepted, &meters.connections_refused,
        &meters.connections_crowded_out, &meters.associations_crowded_out, &meters.connections_open,
        &meters.tls_handshakes_succeeded, &meters.tls_handshakes_failed,
        &meters.dtls_handshakes_succeeded, &meters.dtls_handshakes_failed, &meters.dtls_challenges,
        &meters.associations_accepted, &meters.associations_refused}) {
    *meter = next++;
  }
  fill(meters.rounds);
  meters.round_seconds = 0.75;
  return {shard, shard};
}

inline ServerFacts sample_facts() {
  using namespace std::chrono_literals;
  return {"1.2.3", std::chrono::sys_seconds{1'900'000'000s}, 7};
}

}  // namespace yuelao::server

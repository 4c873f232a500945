#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "protocol/turn/counters.hpp"

namespace yuelao::server {

// Upper bounds of the round-duration histogram, in seconds; the last bucket is +Inf.
inline constexpr std::array<double, 10> round_bounds = {1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4,
                                                        5e-4, 1e-3,   5e-3, 2e-2, 1e-1};

// What a shard's entrance counts, by itself on its own thread.
struct EntranceMeters {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;      // over the limit, or no descriptor left
  std::uint64_t connections_crowded_out = 0;  // by newer ones, before it was known whose they are
  std::uint64_t connections_open = 0;         // gauge
  std::uint64_t proxy_headers_refused = 0;    // malformed or too long, from a listed proxy
  std::uint64_t web_passed = 0;               // to the web server as they came
  std::uint64_t web_decrypted = 0;            // to the web server's plain port
  std::uint64_t web_unreachable = 0;          // and it did not answer
  std::uint64_t tls_handshakes_succeeded = 0;
  std::uint64_t tls_handshakes_failed = 0;
  std::uint64_t dtls_handshakes_succeeded = 0;
  std::uint64_t dtls_handshakes_failed = 0;
};

// What a shard counts beside the engine. Written by the shard's thread alone, but for its
// entrance's part; copied whole for a scrape.
struct Meters : EntranceMeters {
  std::uint64_t dtls_challenges = 0;  // HelloVerifyRequests
  std::uint64_t associations_accepted = 0;
  std::uint64_t associations_crowded_out = 0;                   // during the handshake
  std::uint64_t associations_refused = 0;                       // over a limit
  std::uint64_t receive_overflows = 0;                          // SO_RXQ_OVFL, over all sockets
  std::array<std::uint64_t, round_bounds.size() + 1> rounds{};  // not cumulative
  double round_seconds = 0;                                     // sum
};

// Everything a scrape learns of one shard.
struct ShardSnapshot {
  turn::Counters counters;
  turn::Gauges gauges;
  Meters meters;
};

}  // namespace yuelao::server

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/endpoint.hpp"

namespace yuelao::server {

// Requests a minute of each IPv4 address or IPv6 /64. For one thread.
//
// Counts start anew every minute, so that a client that waits for the new one may ask
// twice as often for a moment; in return a client costs one number, and only for a minute.
class RateLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Clients that are remembered. One more, and all are forgotten: whoever has that many
  // prefixes is not held back by a limit on each.
  static constexpr std::size_t clients = 10'000;

  // Whether this request is within `limit` (0: always), which then counts.
  bool admits(const IpAddress& client, std::uint32_t limit, Time now);
  // Until the counts start anew, at least a second.
  std::chrono::seconds wait(Time now) const;
  std::size_t remembered() const { return counts_.size(); }

 private:
  Time begin_{};
  boost::unordered_flat_map<IpAddress, std::uint32_t> counts_;
};

}  // namespace yuelao::server

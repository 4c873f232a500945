#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "protocol/now.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

// Octets of payload a second.
using Bandwidth = std::uint64_t;
inline constexpr Bandwidth unlimited = std::numeric_limits<Bandwidth>::max();

// Through a relay.
enum class Way : std::uint8_t { to_peer, to_client };
constexpr std::size_t slot(Way way) { return static_cast<std::size_t>(way); }

// What one sender may send: a rate, and so much at once after a pause as comes together in `burst`.
class TokenBucket {
 public:
  // False: not now. `rate` may be another one each time.
  bool take(std::size_t octets, Bandwidth rate, SteadyTime now,
            std::chrono::seconds burst = std::chrono::seconds{1});

  // Of what has been sent already: how long the sender is to rest after it.
  std::chrono::nanoseconds owe(std::size_t octets, Bandwidth rate, SteadyTime now,
                               std::chrono::seconds burst = std::chrono::seconds{1});

 private:
  SteadyTime full_at_{};  // long ago: a new one is full
};

// Of some who share: what they want, and how many they are.
struct Demand {
  Bandwidth wanted = 0;
  std::uint64_t senders = 1;
};
// Max-min fairness: what one sender may have where `capacity` is divided so that whoever wants
// little gets it, and the others get the same of what is left. `unlimited` where all get what they
// want. Sorts `demands`.
Bandwidth fair_rate(std::span<Demand> demands, Bandwidth capacity);

// What the shards of a server share: each says once a second what its sessions wanted, and takes
// its part of the server's bandwidth. From any thread, each for its own shard.
class BandwidthPool {
 public:
  explicit BandwidthPool(std::size_t shards = 1) : shards_{shards} {}

  // The part that the shard has for the next second; all of `capacity` where the others want none.
  Bandwidth part_of(Way way, ShardNumber shard, const Demand& demand, Bandwidth capacity);

 private:
  struct Said {
    std::atomic<Bandwidth> wanted = 0;
    std::atomic<std::uint64_t> senders = 0;
  };

  std::size_t shards_;
  using ByShard = std::array<Said, std::size_t{std::numeric_limits<ShardNumber>::max()} + 1>;
  std::array<ByShard, 2> said_{};
};

}  // namespace yuelao::turn

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"
#include "protocol/turn/bandwidth.hpp"

namespace yuelao::turn {

// A token bucket for each IPv4 address or IPv6 /64 (client_prefix()). What it remembers is of one
// size, whoever comes: prefixes share its cells, by a hash that nobody outside can foresee.
class PrefixBudget {
 public:
  // `seed` is drawn at random. What comes together in `burst` may be spent at once after a pause.
  PrefixBudget(std::uint64_t seed, std::chrono::seconds burst)
      : seed_{seed}, burst_{burst}, cells_(cell_count) {}

  // False: the client's prefix has had all it may have for the moment. `rate` is in the same unit
  // as `amount`, a second.
  bool spend(const IpAddress& client, std::size_t amount, Bandwidth rate, SteadyTime now);

 private:
  static constexpr std::size_t cell_count = 4096;  // a power of two

  std::size_t cell_of(const IpAddress& client) const;

  std::uint64_t seed_;
  std::chrono::seconds burst_;
  std::vector<TokenBucket> cells_;
};

}  // namespace yuelao::turn

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"
#include "protocol/turn/bandwidth.hpp"

namespace yuelao::turn {

// How much is sent to whoever has shown nothing, by UDP, where the source may be forged: so little
// to each IPv4 address or IPv6 /64 that nobody is worth being reflected at. What it remembers is of
// one size, whoever sends: prefixes share its cells, by a hash that nobody outside can foresee.
class ResponseBudget {
 public:
  explicit ResponseBudget(std::uint64_t seed) : seed_{seed}, cells_(cell_count) {}

  // False: the client has had all it may have for the moment. It may have what comes together in
  // four seconds at once, as when an office comes back after its line was down.
  bool spend(const IpAddress& client, std::size_t octets, Bandwidth rate, SteadyTime now);

 private:
  static constexpr std::size_t cell_count = 4096;  // a power of two
  static constexpr std::chrono::seconds burst{4};

  std::size_t cell_of(const IpAddress& client) const;

  std::uint64_t seed_;
  std::vector<TokenBucket> cells_;
};

}  // namespace yuelao::turn

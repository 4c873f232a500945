#include "protocol/turn/prefix_budget.hpp"

#include <bit>

#include "protocol/ip_range.hpp"

namespace yuelao::turn {
namespace {

constexpr unsigned hash_bits = 64;

// SplitMix64: from one number drawn, many that look as if they were.
std::uint64_t derived(std::uint64_t seed, std::uint64_t count) {
  std::uint64_t x = seed + count * 0x9E37'79B9'7F4A'7C15;
  x = (x ^ (x >> 30U)) * 0xBF58'476D'1CE4'E5B9;
  x = (x ^ (x >> 27U)) * 0x94D0'49BB'1331'11EB;
  return x ^ (x >> 31U);
}

}  // namespace

bool PrefixBudget::spend(const IpAddress& client, std::size_t amount, Bandwidth rate,
                         SteadyTime now) {
  return rate == unlimited || cells_[cell_of(client)].take(amount, rate, now, burst_);
}

// Multilinear hashing: whoever does not know the keys cannot choose two prefixes of one cell.
std::size_t PrefixBudget::cell_of(const IpAddress& client) const {
  const auto prefix = client_prefix(client);
  std::uint64_t hash = derived(seed_, 0);
  std::uint64_t number = prefix.octets().size();
  for (const auto octet : prefix.octets()) hash += derived(seed_, ++number) * (octet + 1U);
  return static_cast<std::size_t>(hash >> (hash_bits - std::countr_zero(cell_count)));
}

}  // namespace yuelao::turn

#include "protocol/turn/bandwidth.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

namespace yuelao::turn {
namespace {

constexpr std::uint64_t nanoseconds_a_second = 1'000'000'000;

Bandwidth wanted_by_one(const Demand& demand) { return demand.wanted / demand.senders; }

}  // namespace

// By when it is full again, as the generic cell rate algorithm does (ITU-T I.371): nothing is
// rounded that adds up, and the rate may change at any time.
bool TokenBucket::take(std::size_t octets, Bandwidth rate, SteadyTime now,
                       std::chrono::seconds burst) {
  if (rate == unlimited) return true;
  if (rate == 0) return false;
  const std::chrono::nanoseconds cost{octets * nanoseconds_a_second / rate};
  const auto full_at = std::max(full_at_, now) + cost;
  if (full_at - now > burst) return false;
  full_at_ = full_at;
  return true;
}

std::chrono::nanoseconds TokenBucket::owe(std::size_t octets, Bandwidth rate, SteadyTime now,
                                          std::chrono::seconds burst) {
  if (rate == unlimited) return {};
  if (rate == 0) return burst;
  const std::chrono::nanoseconds cost{octets * nanoseconds_a_second / rate};
  full_at_ = std::max(full_at_, now) + cost;
  return std::max<std::chrono::nanoseconds>(full_at_ - now - burst, {});
}

Bandwidth fair_rate(std::span<Demand> demands, Bandwidth capacity) {
  std::ranges::sort(demands, {}, wanted_by_one);
  std::uint64_t senders = 0;
  for (const auto& demand : demands) senders += demand.senders;
  for (const auto& demand : demands) {
    const auto rate = capacity / senders;
    if (wanted_by_one(demand) > rate) return rate;
    capacity -= std::min(capacity, demand.wanted);
    senders -= demand.senders;
    if (senders == 0) break;
  }
  return unlimited;
}

Bandwidth BandwidthPool::part_of(Way way, ShardNumber shard, const Demand& demand,
                                 Bandwidth capacity) {
  auto& said_by = said_.at(slot(way));
  auto& mine = said_by.at(shard);
  mine.wanted.store(demand.wanted, std::memory_order_relaxed);
  mine.senders.store(demand.senders, std::memory_order_relaxed);
  std::vector<Demand> demands;
  Bandwidth of_others = 0;
  for (std::size_t i = 0; i < shards_; ++i) {
    const Demand said{said_by.at(i).wanted.load(std::memory_order_relaxed),
                      said_by.at(i).senders.load(std::memory_order_relaxed)};
    if (said.senders == 0) continue;
    demands.push_back(said);
    if (i != shard) of_others += said.wanted;
  }
  if (of_others == 0) return capacity;
  const auto rate = fair_rate(demands, capacity);
  if (rate == unlimited) return capacity - of_others;
  return std::min(rate * std::max<std::uint64_t>(demand.senders, 1), capacity);
}

}  // namespace yuelao::turn

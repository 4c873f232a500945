#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/endpoint.hpp"

namespace yuelao::server {

// Those who have come and of whom nothing is known yet, in the order they came: when there are too
// many the oldest has to leave, which has had the most time to say who it is. Who refused the
// newest instead would let strangers that say nothing keep everybody out.
template <class Key>
class ArrivalOrder {
 public:
  // Of one shard. A handshake takes a second on a slow line and seconds from somebody who means
  // harm; an office comes back all at once.
  static constexpr std::size_t most = 1024;
  static constexpr std::size_t most_of_prefix = 256;

  // Notes one that came now, of the client's IPv4 address or IPv6 /64, unless it is not counted
  // under any. Returns the one that has to leave for it, which is forgotten: the oldest of its
  // prefix, where that has too many, or else the oldest of all.
  std::optional<Key> add(const Key& key, const std::optional<IpAddress>& prefix) {
    const auto number = next_++;
    by_age_.emplace(number, Entry{key, prefix});
    numbers_.emplace(key, number);
    const bool too_many_of_prefix = prefix && ++of_prefix_[*prefix] > most_of_prefix;
    if (!too_many_of_prefix && by_age_.size() <= most) return std::nullopt;
    auto oldest = by_age_.begin();
    while (too_many_of_prefix && oldest->second.prefix != prefix) ++oldest;
    const Key leaves = oldest->second.key;
    remove(leaves);
    return leaves;
  }

  // It has said who it is, or is gone.
  void remove(const Key& key) {
    const auto found = numbers_.find(key);
    if (found == numbers_.end()) return;
    const auto entry = by_age_.find(found->second);
    if (const auto& prefix = entry->second.prefix) {
      const auto counted = of_prefix_.find(*prefix);
      if (--counted->second == 0) of_prefix_.erase(counted);
    }
    by_age_.erase(entry);
    numbers_.erase(found);
  }

  std::size_t size() const { return by_age_.size(); }

 private:
  struct Entry {
    Key key;
    std::optional<IpAddress> prefix;
  };

  std::uint64_t next_ = 0;
  std::map<std::uint64_t, Entry> by_age_;
  boost::unordered_flat_map<Key, std::uint64_t> numbers_;
  boost::unordered_flat_map<IpAddress, std::size_t> of_prefix_;
};

}  // namespace yuelao::server

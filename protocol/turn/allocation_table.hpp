#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/turn/allocation.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

// The allocations of a shard, found by the client's path, by relay and, once open, by where
// the relay is bound. Pointers stay valid until the allocation is erased.
class AllocationTable {
 public:
  // The path must be free.
  Allocation& insert(const ClientPath& path);
  void erase(RelayId id);
  // Notes that the allocation is open: its bound_endpoint() is known.
  void index_relay(const Allocation& allocation);

  Allocation* find(const ClientPath& path);
  // Null for a relay that is gone, even where its slot has a new owner.
  Allocation* find(RelayId id);
  // Null where no open relay is bound.
  const Allocation* find_bound(const Endpoint& bound) const;

  bool contains(const ClientPath& path) const { return by_path_.contains(path); }
  std::size_t size() const { return by_path_.size(); }

  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (const auto& slot : slots_) {
      if (slot.used) visit(slot.allocation);
    }
  }
  template <class Visitor>
  void for_each(Visitor&& visit) {
    for (auto& slot : slots_) {
      if (slot.used) visit(slot.allocation);
    }
  }

  // True when the indexes and the free list agree.
  bool consistent() const;

 private:
  struct Slot {
    Allocation allocation;
    std::uint32_t generation = 0;
    bool used = false;
  };

  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
  boost::unordered_flat_map<ClientPath, std::uint32_t> by_path_;
  boost::unordered_flat_map<Endpoint, std::uint32_t> by_bound_;
};

}  // namespace yuelao::turn

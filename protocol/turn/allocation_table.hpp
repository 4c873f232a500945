#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/turn/allocation.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

// What one client has: a relay, or two of a dual allocation (RFC 8656 §6). Views of the table.
class ClientRelays {
 public:
  bool none() const { return !by_family_[0] && !by_family_[1]; }
  // Null: the client has no such relay.
  Allocation* of(Family family) const { return by_family_[slot(family)]; }
  // Any of them: what belongs to the client is the same in both. Not for none().
  const Allocation& any() const { return by_family_[0] ? *by_family_[0] : *by_family_[1]; }
  void add(Allocation& allocation) { by_family_[slot(allocation.family)] = &allocation; }

  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (auto* const allocation : by_family_) {
      if (allocation != nullptr) visit(*allocation);
    }
  }

 private:
  static constexpr std::size_t slot(Family family) { return family == Family::ipv4 ? 0 : 1; }

  std::array<Allocation*, 2> by_family_{};
};

// The allocations of a shard, found by the client's path, by relay and, once open, by where
// the relay is bound. Pointers stay valid until the allocation is erased.
class AllocationTable {
 public:
  // The path must be free.
  Allocation& insert(const ClientPath& path, Family family);
  // The other relay of a dual allocation, on the same path; `first` must have no twin.
  Allocation& insert_twin(Allocation& first);
  // Its twin stays.
  void erase(RelayId id);
  // Its client, whose path has no allocation of its own, is found by `next` too; a dual allocation
  // moves as one. Replaces what was next before.
  void expect(Allocation& allocation, const ClientPath& next);
  // The client stays where it is.
  void stay(Allocation& allocation);
  // What was next is where the client is now.
  void arrive(Allocation& allocation);
  // Its client, or that of a dual allocation, is found by its session too.
  void index_session(const Allocation& allocation);
  // Notes that the allocation is open: its bound_endpoint() is known.
  void index_relay(const Allocation& allocation);

  // Of a dual allocation either one.
  Allocation* find(const ClientPath& path);
  // Null where none that index_session() was told of has it. Of a dual allocation either one.
  Allocation* find_session(std::uint64_t session);
  // Null for an allocation that is not dual, or no longer.
  Allocation* twin(const Allocation& allocation);
  // Null for a relay that is gone, even where its slot has a new owner.
  Allocation* find(RelayId id);
  // Null where no open relay is bound.
  const Allocation* find_bound(const Endpoint& bound) const;
  Allocation* find_bound(const Endpoint& bound);

  bool contains(const ClientPath& path) const { return by_path_.contains(path); }
  // Relays: a dual allocation counts as two.
  std::size_t size() const { return slots_.size() - free_.size(); }

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

  Allocation& take_slot(const ClientPath& path, Family family);
  bool consistent(std::uint32_t index) const;

  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
  boost::unordered_flat_map<ClientPath, std::uint32_t> by_path_;
  boost::unordered_flat_map<Endpoint, std::uint32_t> by_bound_;
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> by_session_;
};

}  // namespace yuelao::turn

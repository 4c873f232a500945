#include "protocol/turn/allocation_table.hpp"

namespace yuelao::turn {

Allocation& AllocationTable::insert(const ClientPath& path) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const auto index = free_.back();
  free_.pop_back();
  auto& slot = slots_[index];
  slot.used = true;
  slot.allocation = Allocation{};
  slot.allocation.id = {index, slot.generation};
  slot.allocation.path = path;
  by_path_.emplace(path, index);
  return slot.allocation;
}

void AllocationTable::erase(RelayId id) {
  if (find(id) == nullptr) return;
  auto& slot = slots_[id.index];
  by_path_.erase(slot.allocation.path);
  if (slot.allocation.state == Allocation::State::open) {
    by_bound_.erase(slot.allocation.bound_endpoint());
  }
  slot.allocation = Allocation{};  // gives back its lists, and forgets user and key
  slot.used = false;
  ++slot.generation;
  free_.push_back(id.index);
}

void AllocationTable::index_relay(const Allocation& allocation) {
  by_bound_.insert_or_assign(allocation.bound_endpoint(), allocation.id.index);
}

Allocation* AllocationTable::find(const ClientPath& path) {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : &slots_[found->second].allocation;
}

Allocation* AllocationTable::find(RelayId id) {
  if (id.index >= slots_.size()) return nullptr;
  auto& slot = slots_[id.index];
  return slot.used && slot.generation == id.generation ? &slot.allocation : nullptr;
}

const Allocation* AllocationTable::find_bound(const Endpoint& bound) const {
  const auto found = by_bound_.find(bound);
  return found == by_bound_.end() ? nullptr : &slots_[found->second].allocation;
}

bool AllocationTable::consistent() const {
  std::size_t used = 0;
  std::size_t open = 0;
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    const auto& slot = slots_[index];
    if (!slot.used) continue;
    ++used;
    const auto found = by_path_.find(slot.allocation.path);
    if (found == by_path_.end() || found->second != index) return false;
    if (slot.allocation.id != RelayId{index, slot.generation}) return false;
    if (slot.allocation.state != Allocation::State::open) continue;
    ++open;
    if (find_bound(slot.allocation.bound_endpoint()) != &slot.allocation) return false;
  }
  return open == by_bound_.size() && used == by_path_.size() &&
         used + free_.size() == slots_.size();
}

}  // namespace yuelao::turn

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
  by_tuple_.emplace(path.tuple, index);
  return slot.allocation;
}

void AllocationTable::erase(RelayId id) {
  if (find(id) == nullptr) return;
  auto& slot = slots_[id.index];
  by_tuple_.erase(slot.allocation.path.tuple);
  slot.allocation = Allocation{};  // gives back its lists, and forgets user and key
  slot.used = false;
  ++slot.generation;
  free_.push_back(id.index);
}

Allocation* AllocationTable::find(const FiveTuple& tuple) {
  const auto found = by_tuple_.find(tuple);
  return found == by_tuple_.end() ? nullptr : &slots_[found->second].allocation;
}

Allocation* AllocationTable::find(RelayId id) {
  if (id.index >= slots_.size()) return nullptr;
  auto& slot = slots_[id.index];
  return slot.used && slot.generation == id.generation ? &slot.allocation : nullptr;
}

bool AllocationTable::consistent() const {
  std::size_t used = 0;
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    const auto& slot = slots_[index];
    if (!slot.used) continue;
    ++used;
    const auto found = by_tuple_.find(slot.allocation.path.tuple);
    if (found == by_tuple_.end() || found->second != index) return false;
    if (slot.allocation.id != RelayId{index, slot.generation}) return false;
  }
  return used == by_tuple_.size() && used + free_.size() == slots_.size();
}

}  // namespace yuelao::turn

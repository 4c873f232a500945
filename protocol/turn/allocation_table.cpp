#include "protocol/turn/allocation_table.hpp"

#include <utility>

namespace yuelao::turn {

Allocation& AllocationTable::insert(const ClientPath& path, Family family) {
  auto& allocation = take_slot(path, family);
  by_path_.emplace(path, allocation.id.index);
  return allocation;
}

Allocation& AllocationTable::insert_twin(Allocation& first) {
  auto& twin = take_slot(first.path, other(first.family));
  twin.twin = first.id.index;
  first.twin = twin.id.index;
  return twin;
}

Allocation& AllocationTable::take_slot(const ClientPath& path, Family family) {
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
  slot.allocation.family = family;
  return slot.allocation;
}

void AllocationTable::erase(RelayId id) {
  auto* const allocation = find(id);
  if (allocation == nullptr) return;
  if (auto* const other = twin(*allocation)) {
    other->twin = Allocation::alone;
    by_path_.insert_or_assign(other->path, other->id.index);
    if (other->next) by_path_.insert_or_assign(*other->next, other->id.index);
    if (other->mobility) index_session(*other);
  } else {
    by_path_.erase(allocation->path);
    if (allocation->next) by_path_.erase(*allocation->next);
    if (allocation->mobility) by_session_.erase(allocation->session);
  }
  if (allocation->state == Allocation::State::open) by_bound_.erase(allocation->bound_endpoint());
  *allocation = Allocation{};  // gives back its lists, and forgets user and key
  slots_[id.index].used = false;
  ++slots_[id.index].generation;
  free_.push_back(id.index);
}

void AllocationTable::expect(Allocation& allocation, const ClientPath& next) {
  stay(allocation);
  by_path_.emplace(next, allocation.id.index);
  allocation.next = next;
  if (auto* const other = twin(allocation)) other->next = next;
}

void AllocationTable::stay(Allocation& allocation) {
  if (!allocation.next) return;
  by_path_.erase(*allocation.next);
  allocation.next.reset();
  if (auto* const other = twin(allocation)) other->next.reset();
}

void AllocationTable::arrive(Allocation& allocation) {
  by_path_.erase(allocation.path);
  allocation.path = *allocation.next;
  allocation.next.reset();
  auto* const other = twin(allocation);
  if (other == nullptr) return;
  other->path = allocation.path;
  other->next.reset();
}

void AllocationTable::index_session(const Allocation& allocation) {
  by_session_.insert_or_assign(allocation.session, allocation.id.index);
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

Allocation* AllocationTable::find_session(std::uint64_t session) {
  const auto found = by_session_.find(session);
  return found == by_session_.end() ? nullptr : &slots_[found->second].allocation;
}

Allocation* AllocationTable::twin(const Allocation& allocation) {
  return allocation.twin == Allocation::alone ? nullptr : &slots_[allocation.twin].allocation;
}

const Allocation* AllocationTable::find_bound(const Endpoint& bound) const {
  const auto found = by_bound_.find(bound);
  return found == by_bound_.end() ? nullptr : &slots_[found->second].allocation;
}

Allocation* AllocationTable::find_bound(const Endpoint& bound) {
  const auto found = by_bound_.find(bound);
  return found == by_bound_.end() ? nullptr : &slots_[found->second].allocation;
}

bool AllocationTable::consistent() const {
  std::size_t used = 0;
  std::size_t twins = 0;
  std::size_t open = 0;
  std::size_t moving = 0;
  std::size_t mobile = 0;
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    const auto& slot = slots_[index];
    if (!slot.used) continue;
    ++used;
    if (slot.allocation.twin != Allocation::alone) ++twins;
    if (slot.allocation.state == Allocation::State::open) ++open;
    const std::size_t share = slot.allocation.twin == Allocation::alone ? 2 : 1;
    if (slot.allocation.next) moving += share;
    if (slot.allocation.mobility) mobile += share;
    if (!consistent(index)) return false;
  }
  return open == by_bound_.size() && used - twins / 2 + moving / 2 == by_path_.size() &&
         mobile / 2 == by_session_.size() && used + free_.size() == slots_.size();
}

bool AllocationTable::consistent(std::uint32_t index) const {
  const auto& allocation = slots_[index].allocation;
  const auto found = by_path_.find(allocation.path);
  if (found == by_path_.end()) return false;
  if (allocation.next) {
    const auto next = by_path_.find(*allocation.next);
    if (next == by_path_.end()) return false;
    if (next->second != index && next->second != allocation.twin) return false;
  }
  if (allocation.mobility) {
    const auto session = by_session_.find(allocation.session);
    if (session == by_session_.end()) return false;
    if (session->second != index && session->second != allocation.twin) return false;
  }
  if (allocation.id != RelayId{index, slots_[index].generation}) return false;
  if (allocation.state == Allocation::State::open &&
      find_bound(allocation.bound_endpoint()) != &allocation) {
    return false;
  }
  if (allocation.twin == Allocation::alone) return found->second == index;
  const auto& twin = slots_[allocation.twin];
  return twin.used && twin.allocation.twin == index && twin.allocation.path == allocation.path &&
         twin.allocation.next == allocation.next && twin.allocation.family != allocation.family &&
         (found->second == index || found->second == allocation.twin);
}

}  // namespace yuelao::turn

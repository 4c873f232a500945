#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "protocol/now.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

// Reminds of allocations whose time may be up: a second a slot, about an hour around.
// Only a reminder: what is due is judged by comparison, and a time beyond the wheel's
// reach is reminded of early, to be scheduled again.
class ExpiryWheel {
 public:
  // When `id` will be reminded of, at the earliest.
  SteadyTime schedule(RelayId id, SteadyTime when, SteadyTime now) {
    if (tick_ == unset) tick_ = tick_of(now);
    // The tick after the one `when` is in: then it is over for certain.
    const auto tick = std::clamp(tick_of(when) + 1, tick_ + 1, tick_ + slot_count - 1);
    slot(tick).push_back(id);
    return SteadyTime{std::chrono::seconds{tick}};
  }

  // Calls remind(RelayId) for everything scheduled up to `now`; it may schedule again.
  template <class Remind>
  void advance(SteadyTime now, Remind&& remind) {
    const auto last = tick_of(now);
    if (tick_ == unset) tick_ = last;
    // After a long pause once around is enough: every slot has been seen.
    tick_ = std::max(tick_, last - slot_count);
    while (tick_ < last) {
      ++tick_;
      due_.swap(slot(tick_));
      for (const auto id : due_) remind(id);
      due_.clear();
    }
  }

 private:
  static constexpr std::int64_t slot_count = 4096;
  static constexpr std::int64_t unset = -1;

  static std::int64_t tick_of(SteadyTime time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  }
  std::vector<RelayId>& slot(std::int64_t tick) {
    return slots_[static_cast<std::size_t>(tick % slot_count)];
  }

  std::array<std::vector<RelayId>, static_cast<std::size_t>(slot_count)> slots_;
  std::vector<RelayId> due_;
  std::int64_t tick_ = unset;
};

}  // namespace yuelao::turn

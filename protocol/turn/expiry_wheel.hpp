#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
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
      if (!page(tick_)) {
        tick_ = std::min(last, tick_ | (page_slots - 1));
        continue;
      }
      due_.swap(slot(tick_));
      for (const auto id : due_) remind(id);
      due_.clear();
    }
  }

 private:
  static constexpr std::int64_t slot_count = 4096;
  static constexpr std::int64_t page_slots = 64;
  // Slots come a page at a time, with the first allocation due in it: a wheel is made,
  // turned and thrown away for next to nothing while it is empty.
  using Page = std::array<std::vector<RelayId>, page_slots>;
  static constexpr std::int64_t unset = -1;

  static std::int64_t tick_of(SteadyTime time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  }
  std::unique_ptr<Page>& page(std::int64_t tick) {
    return pages_[static_cast<std::size_t>(tick % slot_count / page_slots)];
  }
  std::vector<RelayId>& slot(std::int64_t tick) {
    auto& slots = page(tick);
    if (!slots) slots = std::make_unique<Page>();
    return (*slots)[static_cast<std::size_t>(tick % page_slots)];
  }

  std::array<std::unique_ptr<Page>, slot_count / page_slots> pages_;
  std::vector<RelayId> due_;
  std::int64_t tick_ = unset;
};

}  // namespace yuelao::turn

#include "tests/bench/flow.hpp"

#include <algorithm>
#include <functional>

namespace yuelao::bench {
namespace {

// Opus: a packet every 20 ms.
constexpr std::uint32_t audio_bytes = 160;
constexpr std::chrono::nanoseconds audio_interval = 20ms;
// VP8 at about 700 kbit/s: 15 frames a second, five packets each.
constexpr std::uint32_t video_bytes = 1150;
constexpr std::uint32_t video_packets = 5;
constexpr std::chrono::nanoseconds video_interval = 66'666'667ns;

}  // namespace

std::vector<Flow> make_flows(const Plan& plan) {
  std::vector<Flow> flows;
  for (std::uint32_t i = 0; i < plan.allocations; ++i) {
    const End client{true, i};
    const End peer{false, i % plan.peers};
    if (plan.direction == Direction::between_clients) {
      // Two and two; one that is left over calls nobody.
      if ((i ^ 1U) < plan.allocations) flows.push_back({client, {true, i ^ 1U}});
      continue;
    }
    if (plan.direction != Direction::to_client) flows.push_back({client, peer});
    if (plan.direction != Direction::to_peer) flows.push_back({peer, client});
  }
  return flows;
}

Schedule::Schedule(const Plan& plan, std::size_t flows) : plan_{plan}, flows_{flows} {
  if (plan.pattern != Pattern::meeting) return;
  // Nobody's clock is in step with another's.
  for (std::uint32_t flow = 0; flow < flows; ++flow) {
    const auto count = static_cast<std::int64_t>(flows);
    events_.push_back({audio_interval * flow / count, flow, false});
    events_.push_back({video_interval * flow / count, flow, true});
  }
  std::ranges::make_heap(events_, std::greater{});
}

Burst Schedule::next() const {
  const auto left = plan_.packets - sent_;
  if (!events_.empty()) {
    const auto& event = events_.front();
    const auto count = std::min<std::uint64_t>(event.video ? video_packets : 1, left);
    return {event.flow, static_cast<std::uint32_t>(count), event.video ? video_bytes : audio_bytes};
  }
  const auto count = std::min<std::uint64_t>(plan_.burst, left);
  return {static_cast<std::uint32_t>(turn_ % flows_), static_cast<std::uint32_t>(count),
          plan_.packet_bytes};
}

std::chrono::nanoseconds Schedule::due() const {
  if (!events_.empty()) return events_.front().due;
  if (plan_.rate == 0) return 0ns;
  return std::chrono::nanoseconds{sent_ * 1'000'000'000 / plan_.rate};
}

void Schedule::take() {
  sent_ += next().count;
  ++turn_;
  if (events_.empty()) return;
  std::ranges::pop_heap(events_, std::greater{});
  auto& event = events_.back();
  event.due += event.video ? video_interval : audio_interval;
  std::ranges::push_heap(events_, std::greater{});
}

}  // namespace yuelao::bench

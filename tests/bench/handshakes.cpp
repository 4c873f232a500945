#include "tests/bench/handshakes.hpp"

#include <algorithm>
#include <array>

namespace yuelao::bench {
namespace {

using namespace std::chrono_literals;

// RFC 8489 §6.2.1's first interval. It never doubles: the limit of the phase comes first.
constexpr auto retransmission_interval = 500ms;
constexpr std::int64_t longest_wait_ns = 10'000'000;

}  // namespace

Handshakes::Handshakes(std::vector<Caller>& callers, std::uint32_t at_a_time)
    : callers_{callers}, at_a_time_{at_a_time} {
  for (std::uint32_t i = 0; i < callers_.size(); ++i) {
    poller_.add(callers_[i].link->descriptor(), i);
  }
}

HandshakeResult Handshakes::run_to(TurnClient::Stage goal, std::chrono::nanoseconds limit) {
  goal_ = goal;
  next_ = 0;
  result_ = {};
  active_.clear();
  const auto start = Clock::now();
  start_more();
  while (!active_.empty() && Clock::now() - start < limit) {
    for (const auto caller : poller_.wait(longest_wait_ns)) receive(caller);
    retransmit(Clock::now());
    start_more();
  }
  result_.wall = Clock::now() - start;
  return result_;
}

void Handshakes::start_more() {
  while (active_.size() < at_a_time_ && next_ < callers_.size()) {
    active_.push_back({next_, Clock::now() + retransmission_interval});
    send_request(next_++);
  }
}

void Handshakes::receive(std::uint32_t caller) {
  callers_[caller].link->receive(inbox_, [=, this](Bytes message) { on_message(caller, message); });
}

void Handshakes::on_message(std::uint32_t caller, Bytes message) {
  auto& client = callers_[caller].client;
  const auto progress = client.on_message(message);
  if (progress == TurnClient::Progress::none) return;
  if (progress == TurnClient::Progress::refused) {
    ++result_.refused;
    result_.refusal = client.refusal();
    finish(caller);
  } else if (client.stage() == goal_) {
    ++result_.finished;
    finish(caller);
  } else {
    send_request(caller);
  }
}

void Handshakes::send_request(std::uint32_t caller) {
  std::array<std::byte, 1024> buffer;
  const auto request = callers_[caller].client.request(buffer);
  callers_[caller].link->send(request, request.size());
}

void Handshakes::retransmit(Clock::time_point now) {
  for (auto& active : active_) {
    if (now < active.retransmit) continue;
    active.retransmit = now + retransmission_interval;
    ++result_.retransmissions;
    send_request(active.caller);
  }
}

void Handshakes::finish(std::uint32_t caller) {
  std::erase_if(active_, [caller](const Active& active) { return active.caller == caller; });
}

}  // namespace yuelao::bench

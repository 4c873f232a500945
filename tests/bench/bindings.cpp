#include "tests/bench/bindings.hpp"

#include <algorithm>
#include <array>

#include "protocol/stun/message_writer.hpp"

namespace yuelao::bench {
namespace {

using Clock = std::chrono::steady_clock;

class Bindings {
 public:
  Bindings(const Plan& plan, std::vector<Caller>& callers)
      : plan_{plan}, callers_{callers}, answered_(plan.packets) {
    for (std::uint32_t i = 0; i < callers_.size(); ++i) {
      poller_.add(callers_[i].link->descriptor(), i);
    }
  }

  LoadResult run() {
    const auto start = Clock::now();
    last_answer_ = start;
    for (auto now = start; now - start < plan_.limit; now = Clock::now()) {
      if (done() || now - last_answer_ > patience) break;
      while (next_ < plan_.packets && next_ - answers_.delivered < plan_.window) ask();
      for (const auto caller : poller_.wait(longest_wait)) receive(caller);
    }
    LoadResult result;
    result.wall = last_answer_ - start;
    answers_.sent = next_;
    result.to_client = answers_;
    result.corrupted = corrupted_;
    return result;
  }

 private:
  bool done() const { return answers_.delivered == plan_.packets; }

  void ask() {
    std::array<std::byte, 12> octets{};
    store_u64(octets, next_);
    std::array<std::byte, 64> buffer;
    const auto request = stun::MessageWriter{buffer, stun::Method::binding, stun::Class::request,
                                             stun::TransactionId::from_random(octets)}
                             .finish();
    callers_[next_ % callers_.size()].link->send(request, request.size());
    ++next_;
  }

  void receive(std::uint32_t caller) {
    callers_[caller].link->receive(inbox_, [this](Bytes message) {
      const auto response = stun::Message::parse(message);
      const bool success = response && response->message_class() == stun::Class::success;
      const auto number = success ? load_u64(message.subspan(8)) : next_;
      if (number >= next_) {
        ++corrupted_;
      } else if (answered_[number]) {
        ++answers_.duplicated;
      } else {
        answered_[number] = true;
        ++answers_.delivered;
        last_answer_ = Clock::now();
      }
    });
  }

  const Plan& plan_;
  std::vector<Caller>& callers_;
  Poller poller_;
  Inbox inbox_;
  std::vector<bool> answered_;
  std::uint64_t next_ = 0;
  std::uint64_t corrupted_ = 0;
  Traffic answers_;
  Clock::time_point last_answer_;
};

}  // namespace

LoadResult load_bindings(const Plan& plan, std::vector<Caller>& callers) {
  return Bindings{plan, callers}.run();
}

}  // namespace yuelao::bench

#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "protocol/random.hpp"
#include "tests/bench/flow.hpp"
#include "tests/bench/handshakes.hpp"
#include "tests/bench/plan.hpp"
#include "tests/bench/udp_socket.hpp"

namespace yuelao::bench {

// A packet that is not there this long after all others is lost.
inline constexpr std::chrono::milliseconds patience{300};
// How long the poller is waited for at most, in nanoseconds.
inline constexpr std::int64_t longest_wait = 1'000'000;

struct Traffic {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t lost() const { return sent - delivered; }
};

struct LoadResult {
  std::chrono::nanoseconds wall{};  // from the first packet sent to the last delivered
  Traffic to_peer;
  Traffic to_client;
  std::uint64_t corrupted = 0;  // arrived in the wrong place, or not as they were sent
  // From the call that sends a packet to the one that brings it, in nanoseconds, sorted.
  std::vector<std::uint32_t> delays;
};

// Sends a plan's packets by way of the server, and counts what arrives. Every packet
// names its flow and number, so a packet counts once and only where it belongs.
class Load {
 public:
  Load(const Plan& plan, std::vector<Caller>& callers, std::vector<UdpSocket>& peers);
  LoadResult run();

 private:
  using Clock = std::chrono::steady_clock;

  // Octets that repeat are as good as any for transactions that nobody guards.
  class Counter final : public Random {
   public:
    void fill(MutableBytes out) override;

   private:
    std::uint64_t count_ = 0;
  };

  Traffic& traffic(const Flow& flow) {
    return flow.to.client ? result_.to_client : result_.to_peer;
  }
  std::uint64_t on_their_way() const;
  bool may_send(std::uint32_t count, Clock::time_point now);
  void send_due(Clock::time_point now);
  void send(const Burst& burst);
  Bytes compose(const Burst& burst, MutableBytes out);
  Bytes put_in_envelope(const Flow& flow, Bytes packet, MutableBytes out);
  void receive(End at);
  void take_at_client(End at, Bytes message);
  void count_arrival(End at, Bytes packet);
  std::int64_t nanoseconds_to_wait(Clock::time_point now) const;

  const Plan& plan_;
  std::vector<Caller>& callers_;
  std::vector<UdpSocket>& peers_;
  std::vector<Flow> flows_;
  Schedule schedule_;
  Poller poller_;
  Inbox inbox_;
  Counter counter_;
  std::vector<std::byte> outgoing_;
  std::vector<bool> arrived_;  // by packet number
  std::uint64_t next_number_ = 0;
  std::uint64_t written_off_ = 0;  // given up as lost while the load goes on
  Clock::time_point start_;
  Clock::time_point last_arrival_;
  LoadResult result_;
};

}  // namespace yuelao::bench

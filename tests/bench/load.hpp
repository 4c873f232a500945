#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "tests/bench/handshakes.hpp"
#include "tests/bench/plan.hpp"
#include "tests/bench/udp_socket.hpp"

namespace yuelao::bench {

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
};

// Sends a plan's packets over channels that are bound, and counts what arrives. Every
// packet names its flow, direction and number, so a packet counts once and only where it
// belongs.
class Load {
 public:
  Load(const Plan& plan, std::vector<Caller>& callers, std::vector<UdpSocket>& peers);
  LoadResult run();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Way : std::uint8_t { to_peer, to_client };

  Traffic& traffic(Way way) { return way == Way::to_peer ? result_.to_peer : result_.to_client; }
  std::uint64_t on_their_way() const;
  std::uint64_t may_send(Clock::time_point now);
  void send_due(Clock::time_point now);
  void send_burst(std::uint64_t count);
  MutableBytes compose(Way way, std::uint32_t flow, std::uint64_t number, MutableBytes out) const;
  void receive(std::uint32_t label);
  void count_arrival(Way way, std::uint32_t receiver, Bytes payload);
  std::int64_t nanoseconds_to_wait(Clock::time_point now) const;

  const Plan& plan_;
  std::vector<Caller>& callers_;
  std::vector<UdpSocket>& peers_;
  Poller poller_;
  Inbox inbox_;
  std::vector<std::byte> outgoing_;
  std::vector<bool> arrived_;  // by packet number
  std::uint64_t next_number_ = 0;
  std::uint64_t next_turn_ = 0;
  std::uint64_t written_off_ = 0;  // given up as lost while the load goes on
  Clock::time_point start_;
  Clock::time_point last_arrival_;
  LoadResult result_;
};

}  // namespace yuelao::bench

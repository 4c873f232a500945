#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "tests/bench/turn_client.hpp"
#include "tests/bench/udp_socket.hpp"

namespace yuelao::bench {

// One client with its own socket, thus its own five-tuple.
struct Caller {
  TurnClient client;
  UdpSocket socket;
};

struct HandshakeResult {
  std::chrono::nanoseconds wall{};
  std::uint64_t finished = 0;
  std::uint64_t refused = 0;
  std::uint16_t refusal = 0;  // the last error code seen
  std::uint64_t retransmissions = 0;
};

// Takes every client through its transactions to a stage, a bounded number at a time.
class Handshakes {
 public:
  Handshakes(std::vector<Caller>& callers, const Endpoint& server, std::uint32_t at_a_time);
  HandshakeResult run_to(TurnClient::Stage goal, std::chrono::nanoseconds limit);

 private:
  using Clock = std::chrono::steady_clock;
  struct Active {
    std::uint32_t caller;
    Clock::time_point retransmit;
  };

  void start_more();
  void receive(std::uint32_t caller);
  void send_request(std::uint32_t caller);
  void retransmit(Clock::time_point now);
  void finish(std::uint32_t caller);

  std::vector<Caller>& callers_;
  Endpoint server_;
  std::uint32_t at_a_time_;
  Poller poller_;
  Inbox inbox_;
  TurnClient::Stage goal_{};
  std::uint32_t next_ = 0;
  std::vector<Active> active_;
  HandshakeResult result_;
};

}  // namespace yuelao::bench

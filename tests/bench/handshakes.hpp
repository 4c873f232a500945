#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/bench/client_link.hpp"
#include "tests/bench/turn_client.hpp"

namespace yuelao::bench {

// One client with its own connection, thus its own five-tuple.
struct Caller {
  TurnClient client;
  std::unique_ptr<ClientLink> link;
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
  Handshakes(std::vector<Caller>& callers, std::uint32_t at_a_time);
  HandshakeResult run_to(TurnClient::Stage goal, std::chrono::nanoseconds limit);

 private:
  using Clock = std::chrono::steady_clock;
  struct Active {
    std::uint32_t caller;
    Clock::time_point retransmit;
  };

  void start_more();
  void receive(std::uint32_t caller);
  void on_message(std::uint32_t caller, Bytes message);
  void send_request(std::uint32_t caller);
  void retransmit(Clock::time_point now);
  void finish(std::uint32_t caller);

  std::vector<Caller>& callers_;
  std::uint32_t at_a_time_;
  Poller poller_;
  Inbox inbox_;
  TurnClient::Stage goal_{};
  std::uint32_t next_ = 0;
  std::vector<Active> active_;
  HandshakeResult result_;
};

}  // namespace yuelao::bench

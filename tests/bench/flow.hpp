#pragma once

#include <cstdint>
#include <vector>

#include "tests/bench/handshakes.hpp"
#include "tests/bench/plan.hpp"

namespace yuelao::bench {

// An end of a flow: a client, or a peer's socket.
struct End {
  bool client = false;
  std::uint32_t number = 0;

  // One number for each end, for a poller.
  std::uint32_t label() const { return number | (client ? 0U : 0x8000'0000U); }
  static End of(std::uint32_t label) { return {(label & 0x8000'0000U) == 0, label & 0x7FFF'FFFFU}; }
  friend bool operator==(const End&, const End&) = default;
};

// Packets of one sender to one receiver by way of the server.
struct Flow {
  End from;
  End to;
};

// In the order of their turns; the two directions of a client one after the other.
std::vector<Flow> make_flows(const Plan& plan);

// Some packets that leave together.
struct Burst {
  std::uint32_t flow = 0;
  std::uint32_t count = 0;
  std::uint32_t packet_bytes = 0;
};

// Says what is to be sent when.
class Schedule {
 public:
  Schedule(const Plan& plan, std::size_t flows);

  // The next burst; call take() once it has left.
  Burst next() const;
  // When it is due after the beginning; zero: as soon as there is room.
  std::chrono::nanoseconds due() const;
  void take();

 private:
  struct Event {
    std::chrono::nanoseconds due{};
    std::uint32_t flow = 0;
    bool video = false;
    friend bool operator>(const Event& a, const Event& b) { return a.due > b.due; }
  };

  const Plan& plan_;
  std::size_t flows_;
  std::uint64_t turn_ = 0;
  std::uint64_t sent_ = 0;
  std::vector<Event> events_;  // a heap, of Pattern::meeting
};

}  // namespace yuelao::bench

#include "server/probe/measure.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <optional>
#include <vector>

#include "server/probe/waiting.hpp"

namespace yuelao::probe {
namespace {

using namespace std::chrono_literals;

// Opus speech as WebRTC sends it: a packet every 20 ms.
constexpr unsigned packets = 50;
constexpr auto pace = 20ms;
constexpr std::size_t speech_bytes = 172;
constexpr auto stragglers = 900ms;  // how long the last ones may take

// Fits every path of 1280 octets with all headers around it.
constexpr std::size_t video_bytes = 1000;
constexpr std::size_t most_in_flight = 64;
constexpr std::size_t most_sent = 25'000;  // a server on the same machine need not be flooded
constexpr auto longest_rush = 1s;

enum class Kind : std::uint32_t { hello, speech, video };

// What this test sent itself, told from a stranger's by a number nobody knows.
class Packet {
 public:
  explicit Packet(std::uint64_t tag) : tag_{tag} {}

  Bytes write(Kind kind, std::uint32_t number, std::size_t size) {
    const MutableBytes out{buffer_};
    store_u64(out, tag_);
    store_u32(out.subspan(8), static_cast<std::uint32_t>(kind));
    store_u32(out.subspan(12), number);
    return Bytes{buffer_}.first(size);
  }
  std::optional<std::uint32_t> read(Kind kind, Bytes payload) const {
    const bool ours = payload.size() >= 16 && load_u64(payload) == tag_ &&
                      load_u32(payload.subspan(8)) == static_cast<std::uint32_t>(kind);
    return ours ? std::optional{load_u32(payload.subspan(12))} : std::nullopt;
  }

 private:
  std::uint64_t tag_;
  std::array<std::byte, video_bytes> buffer_{};
};

// There and back at the pace of speech.
class RoundTrips {
 public:
  RoundTrips(End& near, End& far, Packet& packet) : near_{near}, far_{far}, packet_{packet} {}

  DataTest run(SteadyTime deadline) {
    const auto began = steady_now();
    const auto end = std::min(deadline, began + packets * pace + stragglers);
    while (steady_now() < end && returned_.count() < packets && near_.alive() && far_.alive()) {
      const auto next = began + sent_ * pace;
      if (sent_ < packets && steady_now() >= next) send(deadline);
      turn_back(deadline);
      take_home();
      const auto until = sent_ < packets ? std::min(end, began + sent_ * pace) : end;
      if (returned_.count() < packets) {
        wait_for({near_.descriptor(), far_.descriptor()}, Wish::read, until);
      }
    }
    return result();
  }

 private:
  void send(SteadyTime deadline) {
    sent_at_[sent_] = steady_now();
    near_.send(packet_.write(Kind::speech, sent_, speech_bytes), deadline);
    ++sent_;
  }
  void turn_back(SteadyTime deadline) {
    for (auto payload = far_.receive(); !payload.empty(); payload = far_.receive()) {
      const auto number = packet_.read(Kind::speech, payload);
      if (!number || *number >= sent_ || arrived_[*number]) continue;
      arrived_.set(*number);
      far_.send(payload, deadline);
    }
  }
  void take_home() {
    for (auto payload = near_.receive(); !payload.empty(); payload = near_.receive()) {
      const auto number = packet_.read(Kind::speech, payload);
      if (!number || *number >= sent_ || returned_[*number]) continue;
      returned_.set(*number);
      took_.push_back(
          std::chrono::floor<std::chrono::microseconds>(steady_now() - sent_at_[*number]));
    }
  }
  DataTest result() {
    DataTest test;
    test.sent = sent_;
    test.arrived = static_cast<unsigned>(arrived_.count());
    test.returned = static_cast<unsigned>(returned_.count());
    if (took_.empty()) return test;
    std::ranges::sort(took_);
    // The nearest rank: the smallest that so many percent are not above.
    const auto rank = [&](std::size_t percent) {
      return took_[(took_.size() * percent + 99) / 100 - 1];
    };
    test.fastest = took_.front();
    test.median = rank(50);
    test.percentile_95 = rank(95);
    test.slowest = took_.back();
    return test;
  }

  End& near_;
  End& far_;
  Packet& packet_;
  unsigned sent_ = 0;
  std::array<SteadyTime, packets> sent_at_{};
  std::bitset<packets> arrived_;
  std::bitset<packets> returned_;
  std::vector<std::chrono::microseconds> took_;
};

// As much as arrives with a bounded number on the way, so that a thin line is filled and
// not drowned. What is lost is forgotten after a while in which nothing came.
double rush(End& near, End& far, Packet& packet, SteadyTime deadline) {
  const auto began = steady_now();
  const auto end = std::min(deadline, began + longest_rush);
  constexpr auto forgotten_after = 100ms;
  std::size_t in_flight = 0;
  std::size_t sent = 0;
  std::size_t arrived = 0;
  auto last = began;
  while (steady_now() < end && sent < most_sent && near.alive() && far.alive()) {
    for (auto payload = far.receive(); !payload.empty(); payload = far.receive()) {
      if (!packet.read(Kind::video, payload)) continue;
      ++arrived;
      in_flight -= in_flight > 0 ? 1 : 0;
      last = steady_now();
    }
    // Server refusals and such: they only have to be taken off the socket.
    while (!near.receive().empty()) continue;
    if (in_flight >= most_in_flight && steady_now() > last + forgotten_after) in_flight = 0;
    if (in_flight < most_in_flight) {
      near.send(packet.write(Kind::video, static_cast<std::uint32_t>(sent++), video_bytes), end);
      ++in_flight;
    } else {
      wait_for({far.descriptor()}, Wish::read, std::min(end, last + forgotten_after));
    }
  }
  const std::chrono::duration<double> took = std::max(last, began + 1ms) - began;
  return static_cast<double>(arrived * video_bytes * 8) / took.count() / 1e6;
}

Packet new_packet(Random& random) {
  std::array<std::byte, 8> tag{};
  random.fill(tag);
  return Packet{load_u64(tag)};
}

}  // namespace

DataTest round_trips(End& near, End& far, Random& random, SteadyTime deadline) {
  auto packet = new_packet(random);
  // Opens the way for the others where a NAT stands before the far end.
  far.send(packet.write(Kind::hello, 0, speech_bytes), deadline);
  return RoundTrips{near, far, packet}.run(deadline);
}

double throughput(End& near, End& far, Random& random, SteadyTime deadline) {
  auto packet = new_packet(random);
  return rush(near, far, packet, deadline);
}

}  // namespace yuelao::probe

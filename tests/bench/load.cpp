#include "tests/bench/load.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "protocol/bytes.hpp"
#include "protocol/client/relayed_data.hpp"

namespace yuelao::bench {
namespace {

// In front of every packet: flow (4), size (4), number (8), time of departure (8).
constexpr std::size_t tag_bytes = 24;
constexpr std::size_t longest_envelope = 64;

// Sent in a row before looking what has arrived, however late the load is.
constexpr std::uint64_t most_at_once = 32;

std::uint64_t nanoseconds(std::chrono::steady_clock::time_point time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

}  // namespace

void Load::Counter::fill(MutableBytes out) {
  std::ranges::fill(out, std::byte{});
  store_u64(out.first(8), ++count_);
}

Load::Load(const Plan& plan, std::vector<Caller>& callers, std::vector<UdpSocket>& peers)
    : plan_{plan},
      callers_{callers},
      peers_{peers},
      flows_{make_flows(plan)},
      schedule_{plan, flows_.size()},
      arrived_(plan.packets) {
  constexpr std::size_t longest_packet = 1500;
  outgoing_.resize(std::max(plan.burst, 8U) * (longest_packet + longest_envelope));
  result_.delays.reserve(plan.packets);
  for (std::uint32_t i = 0; i < callers_.size(); ++i) {
    poller_.add(callers_[i].link->descriptor(), End{true, i}.label());
  }
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    poller_.add(peers_[i].descriptor(), End{false, i}.label());
  }
}

LoadResult Load::run() {
  start_ = last_arrival_ = Clock::now();
  auto end_of_sending = start_;
  for (auto now = start_; now - start_ < plan_.limit; now = Clock::now()) {
    if (next_number_ < plan_.packets) {
      send_due(now);
      end_of_sending = now;
    } else if (on_their_way() == 0 || now - std::max(last_arrival_, end_of_sending) > patience) {
      break;
    }
    for (const auto label : poller_.wait(nanoseconds_to_wait(now))) receive(End::of(label));
  }
  result_.wall = last_arrival_ - start_;
  std::ranges::sort(result_.delays);
  return std::move(result_);
}

std::uint64_t Load::on_their_way() const {
  const auto delivered = result_.to_peer.delivered + result_.to_client.delivered;
  // A packet that was written off may still arrive.
  return next_number_ - std::min(next_number_, delivered + written_off_);
}

bool Load::may_send(std::uint32_t count, Clock::time_point now) {
  if (plan_.rate != 0 || plan_.pattern == Pattern::meeting) return now - start_ >= schedule_.due();
  // What fills the window and stays away would stop an unpaced load for good.
  if (now - last_arrival_ > patience) {
    written_off_ += on_their_way();
    last_arrival_ = now;
  }
  return on_their_way() + count <= std::max<std::uint64_t>(plan_.window, count);
}

void Load::send_due(Clock::time_point now) {
  std::uint64_t sent = 0;
  while (next_number_ < plan_.packets && sent < most_at_once) {
    const auto burst = schedule_.next();
    if (!may_send(burst.count, now)) return;
    send(burst);
    schedule_.take();
    sent += burst.count;
  }
}

void Load::send(const Burst& burst) {
  const auto& flow = flows_[burst.flow];
  const auto messages = compose(burst, outgoing_);
  traffic(flow).sent += burst.count;
  const auto each = messages.size() / burst.count;
  if (flow.from.client) {
    callers_[flow.from.number].link->send(messages, each);
    return;
  }
  auto& socket = peers_[flow.from.number];
  const auto& to = callers_[flow.to.number].client.relayed();
  if (burst.count == 1) {
    socket.send(messages, to);
  } else {
    socket.send_segmented(messages, static_cast<std::uint16_t>(each), to);
  }
}

Bytes Load::compose(const Burst& burst, MutableBytes out) {
  std::array<std::byte, 1500> packet{};
  const auto now = nanoseconds(Clock::now());
  std::size_t size = 0;
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    const MutableBytes tag{packet};
    store_u32(tag, burst.flow);
    store_u32(tag.subspan(4), burst.packet_bytes);
    store_u64(tag.subspan(8), next_number_++);
    store_u64(tag.subspan(16), now);
    size += put_in_envelope(flows_[burst.flow], tag.first(burst.packet_bytes), out.subspan(size))
                .size();
  }
  return out.first(size);
}

Bytes Load::put_in_envelope(const Flow& flow, Bytes packet, MutableBytes out) {
  const auto as_it_is = [&] {
    std::ranges::copy(packet, out.begin());
    return Bytes{out}.first(packet.size());
  };
  if (!flow.from.client) return as_it_is();
  switch (plan_.envelope) {
    case Envelope::channel_data: {
      const auto padding =
          plan_.transport == Transport::udp ? client::Padding::none : client::Padding::to_four;
      const auto channel = *stun::ChannelNumber::from(TurnClient::channel);
      return client::write_channel_data(channel, packet, padding, out);
    }
    case Envelope::indication:
      return client::write_send_indication(callers_[flow.from.number].client.peer(), packet,
                                           counter_, out);
    case Envelope::bare:
      break;
  }
  return as_it_is();
}

void Load::receive(End at) {
  if (at.client) {
    callers_[at.number].link->receive(inbox_,
                                      [=, this](Bytes message) { take_at_client(at, message); });
    return;
  }
  peers_[at.number].receive(inbox_);
  for (std::size_t i = 0; i < inbox_.count(); ++i) count_arrival(at, inbox_[i]);
}

void Load::take_at_client(End at, Bytes message) {
  if (plan_.envelope == Envelope::bare) return count_arrival(at, message);
  const auto relayed = client::read_relayed(message);
  count_arrival(at, relayed ? relayed->payload : Bytes{});
}

void Load::count_arrival(End at, Bytes packet) {
  const auto now = Clock::now();
  const bool tagged = packet.size() >= tag_bytes && load_u32(packet) < flows_.size() &&
                      load_u32(packet.subspan(4)) == packet.size();
  const auto number = tagged ? load_u64(packet.subspan(8)) : next_number_;
  if (number >= next_number_ || flows_[load_u32(packet)].to != at) {
    ++result_.corrupted;
    return;
  }
  auto& traffic = this->traffic(flows_[load_u32(packet)]);
  if (arrived_[number]) {
    ++traffic.duplicated;
    return;
  }
  arrived_[number] = true;
  ++traffic.delivered;
  last_arrival_ = now;
  constexpr std::uint64_t longest = std::numeric_limits<std::uint32_t>::max();
  const auto delay = nanoseconds(now) - load_u64(packet.subspan(16));
  result_.delays.push_back(static_cast<std::uint32_t>(std::min(delay, longest)));
}

std::int64_t Load::nanoseconds_to_wait(Clock::time_point now) const {
  const bool paced = plan_.rate != 0 || plan_.pattern == Pattern::meeting;
  if (!paced || next_number_ >= plan_.packets) return longest_wait;
  const auto wait = (start_ + schedule_.due() - now).count();
  return std::clamp<std::int64_t>(wait, 0, longest_wait);
}

}  // namespace yuelao::bench

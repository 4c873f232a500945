#include "tests/bench/load.hpp"

#include <algorithm>

#include "protocol/bytes.hpp"

namespace yuelao::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t channel_header_bytes = 4;
// In front of every payload: way (1), zero (3), flow (4), number (8).
constexpr std::size_t tag_bytes = 16;
constexpr std::uint32_t peer_label = 0x8000'0000;

// A packet that is not there this long after all others is lost.
constexpr auto patience = 300ms;
// Sent in a row before looking what has arrived, however late the load is.
constexpr std::uint64_t most_at_once = 32;
constexpr std::int64_t longest_wait_ns = 1'000'000;

}  // namespace

Load::Load(const Plan& plan, std::vector<Caller>& callers, std::vector<UdpSocket>& peers)
    : plan_{plan}, callers_{callers}, peers_{peers}, arrived_(plan.packets) {
  outgoing_.resize(plan.burst * (plan.packet_bytes + channel_header_bytes));
  for (std::uint32_t i = 0; i < callers_.size(); ++i) poller_.add(callers_[i].socket, i);
  for (std::uint32_t i = 0; i < peers_.size(); ++i) poller_.add(peers_[i], i | peer_label);
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
    for (const auto label : poller_.wait(nanoseconds_to_wait(now))) receive(label);
  }
  result_.wall = last_arrival_ - start_;
  return result_;
}

std::uint64_t Load::on_their_way() const {
  const auto delivered = result_.to_peer.delivered + result_.to_client.delivered;
  // A packet that was written off may still arrive.
  return next_number_ - std::min(next_number_, delivered + written_off_);
}

std::uint64_t Load::may_send(Clock::time_point now) {
  if (plan_.rate != 0) {
    const std::chrono::duration<double> elapsed = now - start_;
    const auto due = static_cast<std::uint64_t>(elapsed.count() * static_cast<double>(plan_.rate));
    return due > next_number_ ? due - next_number_ : 0;
  }
  // What fills the window and stays away would stop an unpaced load for good.
  if (now - last_arrival_ > patience) {
    written_off_ += on_their_way();
    last_arrival_ = now;
  }
  const auto busy = on_their_way();
  return busy < plan_.window ? plan_.window - busy : 0;
}

void Load::send_due(Clock::time_point now) {
  const auto due = std::min({may_send(now), plan_.packets - next_number_,
                             std::max<std::uint64_t>(most_at_once, plan_.burst)});
  // A paced load sends whole bursts; only the last of all may be short.
  for (std::uint64_t left = due; left > 0;) {
    const auto whole = std::min<std::uint64_t>(plan_.burst, plan_.packets - next_number_);
    if (left < whole) break;
    send_burst(whole);
    left -= whole;
  }
}

// Flows take turns; with both directions, a flow's client and peer send one after the other.
void Load::send_burst(std::uint64_t count) {
  const bool both = plan_.direction == Direction::both;
  const auto turn = next_turn_++;
  const auto flow = static_cast<std::uint32_t>((both ? turn / 2 : turn) % callers_.size());
  const bool client_sends = plan_.direction == Direction::to_peer || (both && turn % 2 == 0);
  const auto way = client_sends ? Way::to_peer : Way::to_client;

  std::size_t size = 0;
  std::size_t segment = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    segment = compose(way, flow, next_number_++, MutableBytes{outgoing_}.subspan(size)).size();
    size += segment;
  }
  traffic(way).sent += count;
  auto& socket = client_sends ? callers_[flow].socket : peers_[flow % peers_.size()];
  const auto& to = client_sends ? plan_.server : callers_[flow].client.relayed();
  const auto packets = Bytes{outgoing_}.first(size);
  if (count == 1) {
    socket.send(packets, to);
  } else {
    socket.send_segmented(packets, static_cast<std::uint16_t>(segment), to);
  }
}

MutableBytes Load::compose(Way way, std::uint32_t flow, std::uint64_t number,
                           MutableBytes out) const {
  std::size_t header = 0;
  if (way == Way::to_peer) {
    header = channel_header_bytes;
    store_u16(out, TurnClient::channel);
    store_u16(out.subspan(2), static_cast<std::uint16_t>(plan_.packet_bytes));
  }
  const auto tag = out.subspan(header, tag_bytes);
  store_u32(tag, static_cast<std::uint32_t>(way));
  store_u32(tag.subspan(4), flow);
  store_u64(tag.subspan(8), number);
  return out.first(header + plan_.packet_bytes);
}

void Load::receive(std::uint32_t label) {
  const bool at_peer = (label & peer_label) != 0;
  const auto receiver = label & ~peer_label;
  auto& socket = at_peer ? peers_[receiver] : callers_[receiver].socket;
  socket.receive(inbox_);
  for (std::size_t i = 0; i < inbox_.count(); ++i) {
    const auto datagram = inbox_[i];
    if (at_peer) {
      count_arrival(Way::to_peer, receiver, datagram);
    } else if (datagram.size() > channel_header_bytes &&
               load_u16(datagram) == TurnClient::channel) {
      count_arrival(Way::to_client, receiver, datagram.subspan(channel_header_bytes));
    } else {
      ++result_.corrupted;
    }
  }
}

void Load::count_arrival(Way way, std::uint32_t receiver, Bytes payload) {
  if (payload.size() != plan_.packet_bytes ||
      load_u32(payload) != static_cast<std::uint32_t>(way)) {
    ++result_.corrupted;
    return;
  }
  const auto flow = load_u32(payload.subspan(4));
  const auto number = load_u64(payload.subspan(8));
  const auto expected = way == Way::to_peer ? flow % peers_.size() : flow;
  if (expected != receiver || number >= next_number_) {
    ++result_.corrupted;
    return;
  }
  if (arrived_[number]) {
    ++traffic(way).duplicated;
    return;
  }
  arrived_[number] = true;
  ++traffic(way).delivered;
  last_arrival_ = Clock::now();
}

std::int64_t Load::nanoseconds_to_wait(Clock::time_point now) const {
  if (plan_.rate == 0 || next_number_ >= plan_.packets) return longest_wait_ns;
  const auto needed = next_number_ + plan_.burst;
  const auto due = start_ + std::chrono::nanoseconds{needed * 1'000'000'000 / plan_.rate};
  const auto wait = std::chrono::nanoseconds{due - now}.count();
  return std::clamp<std::int64_t>(wait, 0, longest_wait_ns);
}

}  // namespace yuelao::bench

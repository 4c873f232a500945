// The packet path: RFC 8656 §11.2 (Send), §11.3 (from a peer), §12.6 and §12.7
// (ChannelData). Every refusal is silent: the datagram may carry a forged source, and
// an answer would make the relay a reflector. Nothing here allocates memory.

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;

constexpr std::size_t channel_header_bytes = 4;
constexpr std::size_t attribute_header_bytes = 4;

constexpr std::array understood_in_send = {
    attribute::xor_peer_address.type,
    attribute::data.type,
    attribute::dont_fragment.type,
};

// RFC 8656 §14 and §15. Between UDP and UDP the attribute is about IPv4's DF bit alone, and
// MUST be ignored where a packet is translated to or from IPv6 (§13). What came off a stream
// is translated from nothing: there it always counts.
bool may_forbid_fragments(const FiveTuple& client, const Endpoint& peer) {
  if (!over_udp(client.transport)) return true;
  return client.client.address.family() == Family::ipv4 && peer.address.family() == Family::ipv4;
}

// RFC 8656 §12.5: padded to four on a stream; not in a datagram, where the padding
// would be three wasted octets.
std::uint8_t channel_padding(const ClientPath& path, std::size_t size) {
  if (over_udp(path.tuple.transport)) return 0;
  return static_cast<std::uint8_t>(padding_to_four(size));
}

}  // namespace

void Engine::relay_channel_data(const ClientPath& path, Bytes message, Now now, Outbox& out) {
  if (message.size() < channel_header_bytes) return drop(Drop::malformed);
  const auto number = stun::ChannelNumber::from(load_u16(message));
  const std::size_t size = load_u16(message.subspan(2));
  if (!number || message.size() - channel_header_bytes < size) return drop(Drop::malformed);

  const auto relays = open_relays_of(path, now);
  if (relays.none()) return drop(Drop::no_allocation);
  const ChannelBinding* channel = nullptr;
  relays.for_each([&](const Allocation& relay) {
    if (channel == nullptr) channel = relay.channel(*number, now);
  });
  if (channel == nullptr) {
    drop(Drop::no_channel);
  } else {
    relay_to_peer(relays,
                  {.peer = channel->peer,
                   .payload = message.subspan(channel_header_bytes, size),
                   .bound = true},
                  now, out);
  }
  if (relays.any().next) note_data_from(path, out);
}

void Engine::relay_send_indication(const ClientPath& path, const stun::Message& message, Now now,
                                   Outbox& out) {
  if (!stun::unknown_required(message, understood_in_send).empty()) {
    return drop(Drop::unknown_attribute);
  }
  const auto peer = message.get(attribute::xor_peer_address);
  const auto data = message.get(attribute::data);
  if (!peer || !data) return drop(Drop::malformed);

  const auto relays = open_relays_of(path, now);
  if (relays.none()) return drop(Drop::no_allocation);
  // A present DONT-FRAGMENT has no value to be wrong in (§18.9).
  const bool dont_fragment =
      message.has(attribute::dont_fragment.type) && may_forbid_fragments(path.tuple, *peer);
  relay_to_peer(relays, {.peer = *peer, .payload = *data, .dont_fragment = dont_fragment}, now,
                out);
  if (relays.any().next) note_data_from(path, out);
}

// RFC 8656 §9: nothing goes to a peer without a permission, on channels neither.
void Engine::relay_to_peer(const ClientRelays& relays, const ToPeer& data, Now now, Outbox& out) {
  const auto& [peer, payload, dont_fragment, bound] = data;
  auto* const relay = relays.of(peer.address.family());
  if (relay == nullptr) return drop(Drop::wrong_family);
  if (relay->transport != RelayTransport::udp) return drop(Drop::no_allocation);
  auto* const permission = relay->permission_for(peer.address, now);
  if (permission == nullptr) return drop(Drop::no_permission);
  const auto owner = permission->here ? directory_.owner(peer) : std::nullopt;
  if (permission->live_relays_only && !owner) return drop(Drop::forbidden_peer);
  // What a channel is bound to was judged then, and where the port is one of our relays' it is
  // nobody's service.
  if (!bound && !owner) {
    if (!ports_.allow(RelayTransport::udp, peer.port)) return drop(Drop::forbidden_peer);
    if (!admit_port(*relay, *permission, peer.port, now)) return drop(Drop::new_peer);
  }
  if (!spend(*relay, Way::to_peer, payload.size(), now)) return drop(Drop::bandwidth);

  ++counters_.client_to_peer.packets;
  counters_.client_to_peer.bytes += payload.size();
  if (owner) {
    return hand_over({*owner, directory_.to_bound(peer), relay->bound_endpoint(), payload}, now,
                     out);
  }
  out.send({.from = SocketRef::relay(relay->id),
            .source = {},
            .to = permission->here ? directory_.to_bound(peer) : peer,
            .prefix = {},
            .payload = payload,
            .dont_fragment = dont_fragment});
}

// Between two relays of this server no datagram has to leave the process: it goes into the
// other one as if it had come by the network.
void Engine::hand_over(const Handover& handover, Now now, Outbox& out) {
  if (handover.shard != shard_) return out.hand_over(handover);
  on_handover(handover, now, out);
}

void Engine::on_handover(const Handover& handover, Now now, Outbox& out) {
  relay_to_client(allocations_.find_bound(handover.relay), handover.source, handover.payload, now,
                  out);
}

void Engine::on_peer_datagram(RelayId relay, const Endpoint& source, Bytes payload, Now now,
                              Outbox& out) {
  relay_to_client(allocations_.find(relay), source, payload, now, out);
}

void Engine::relay_to_client(Allocation* allocation, const Endpoint& source, Bytes payload, Now now,
                             Outbox& out) {
  if (allocation == nullptr || !allocation->open(now)) return drop(Drop::no_allocation);
  const auto peer = directory_.to_advertised(source);
  if (allocation->permission_for(peer.address, now) == nullptr) return drop(Drop::no_permission);
  if (!spend(*allocation, Way::to_client, payload.size(), now)) return drop(Drop::bandwidth);

  Send send{.from = allocation->path.socket,
            .source = allocation->path.tuple.server.address,
            .to = allocation->path.tuple.client,
            .prefix = {},
            .payload = payload};
  if (const auto* channel = allocation->channel_to(peer, now)) {
    const auto header = out.scratch();
    store_u16(header, channel->number.value());
    store_u16(header.subspan(2), static_cast<std::uint16_t>(payload.size()));
    send.prefix = out.keep(channel_header_bytes);
    send.padding = channel_padding(allocation->path, payload.size());
  } else {
    send.prefix = data_indication_header(peer, payload.size(), out);
    send.padding = static_cast<std::uint8_t>(padding_to_four(payload.size()));
  }
  ++counters_.peer_to_client.packets;
  counters_.peer_to_client.bytes += payload.size();
  out.send(send);
}

// What may be relayed of it, and by all in this shard, whatever of that is.
Engine::Rates Engine::note_traffic(Allocation& allocation, Way way, std::size_t octets) {
  const auto& limits = options_.limits;
  if (limits.bandwidth_per_allocation == unlimited && limits.bandwidth == unlimited) {
    return {unlimited, unlimited};
  }
  allocation.traffic.at(slot(way)).octets += octets;
  const auto& share = shares_.at(slot(way));
  return {std::min(limits.bandwidth_per_allocation, share.each),
          std::min(limits.bandwidth, share.all)};
}

// RFC 8656 §5: what is more is discarded.
bool Engine::spend(Allocation& allocation, Way way, std::size_t octets, Now now) {
  const auto rates = note_traffic(allocation, way, octets);
  auto& own = allocation.traffic.at(slot(way)).bucket;
  return own.take(octets, rates.of_allocation, now.steady) &&
         shares_.at(slot(way)).bucket.take(octets, rates.of_shard, now.steady);
}

std::chrono::nanoseconds Engine::on_data_carried(ConnectionId id, Way way, std::size_t octets,
                                                 Now now) {
  auto* const allocation = owner_of(id);
  if (allocation == nullptr) return {};
  const auto rates = note_traffic(*allocation, way, octets);
  auto& own = allocation->traffic.at(slot(way)).bucket;
  return std::max(own.owe(octets, rates.of_allocation, now.steady),
                  shares_.at(slot(way)).bucket.owe(octets, rates.of_shard, now.steady));
}

// About once a second: of what is left where not all get what they want, each one gets the same.
void Engine::share_bandwidth(Now now) {
  const bool first = shared_at_ == SteadyTime{};
  const auto passed = first ? 1 : std::chrono::duration<double>(now.steady - shared_at_).count();
  if (passed <= 0) return;
  shared_at_ = now.steady;
  for (const auto way : {Way::to_peer, Way::to_client}) {
    std::vector<Demand> demands;
    Demand sum{.wanted = 0, .senders = 0};
    allocations_.for_each([&](Allocation& allocation) {
      const auto octets = std::exchange(allocation.traffic.at(slot(way)).octets, 0);
      if (octets == 0) return;
      const auto wanted = static_cast<Bandwidth>(static_cast<double>(octets) / passed);
      demands.push_back({.wanted = std::min(wanted, options_.limits.bandwidth_per_allocation)});
      sum.wanted += demands.back().wanted;
      ++sum.senders;
    });
    auto& share = shares_.at(slot(way));
    share.all = bandwidth_.part_of(way, shard_, sum, options_.limits.bandwidth);
    share.each = fair_rate(demands, share.all);
  }
}

stun::TransactionId Engine::next_indication_id() {
  std::array<std::byte, 12> id{};
  store_u64(id, ++indications_);
  return stun::TransactionId::from_random(id);
}

// A Data indication up to where its payload begins; the payload is not copied.
Bytes Engine::data_indication_header(const Endpoint& peer, std::size_t payload_size, Outbox& out) {
  const auto buffer = out.scratch();
  stun::MessageWriter writer{buffer, stun::Method::data, stun::Class::indication,
                             next_indication_id()};
  const auto size = writer.add(attribute::xor_peer_address, peer).finish().size();
  const auto value_size = payload_size + padding_to_four(payload_size);
  store_u16(buffer.subspan(size), attribute::data.type.value);
  store_u16(buffer.subspan(size + 2), static_cast<std::uint16_t>(payload_size));
  const auto body = size - stun::header_bytes + attribute_header_bytes + value_size;
  store_u16(buffer.subspan(2), static_cast<std::uint16_t>(body));
  return out.keep(size + attribute_header_bytes);
}

}  // namespace yuelao::turn

// RFC 8656 §11.5, receiving an ICMP packet. Who forges one must know the relay's port and a
// peer's address, and gets the client one short message at most for each.

#include "protocol/turn/peer_error.hpp"

#include <algorithm>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;

// ICMPv4 (RFC 792) and ICMPv6 (RFC 4443).
constexpr std::uint8_t v4_unreachable = 3;
constexpr std::uint8_t v4_fragmentation_needed = 4;  // a code of it
constexpr std::uint8_t v4_time_exceeded = 11;
constexpr std::uint8_t v6_unreachable = 1;
constexpr std::uint8_t v6_packet_too_big = 2;
constexpr std::uint8_t v6_time_exceeded = 3;

// So many errors in a row, and so many after that: what a client can make use of. Every
// datagram to a port that is closed may bring one.
constexpr auto error_interval = std::chrono::milliseconds{100};
constexpr auto error_burst = 10 * error_interval;

bool v4(const PeerError& error) { return error.peer.address.family() == Family::ipv4; }

// §11.5: the types that a client is told of.
bool relayable(const PeerError& error) {
  const auto type = error.icmp.type;
  if (v4(error)) return type == v4_unreachable || type == v4_time_exceeded;
  return type == v6_unreachable || type == v6_packet_too_big || type == v6_time_exceeded;
}

// §18.13: Error Data MUST be zero where it is no MTU.
stun::Icmp told(const PeerError& error) {
  auto icmp = error.icmp;
  const bool too_big = v4(error)
                           ? icmp.type == v4_unreachable && icmp.code == v4_fragmentation_needed
                           : icmp.type == v6_packet_too_big;
  if (!too_big) icmp.error_data = 0;
  return icmp;
}

}  // namespace

void Engine::on_peer_error(RelayId relay, const PeerError& error, Now now, Outbox& out) {
  if (!relayable(error)) return drop(Drop::icmp);
  auto* const allocation = allocations_.find(relay);
  if (allocation == nullptr || !allocation->open(now)) return drop(Drop::no_allocation);
  // The permission MUST be the one of where the datagram went, not of who complains: that is a
  // router on the way.
  const auto peer = directory_.to_advertised(error.peer);
  if (allocation->permission_for(peer.address, now) == nullptr) return drop(Drop::no_permission);
  const auto due = std::max(allocation->errors_until, now.steady);
  if (due - now.steady > error_burst - error_interval) return drop(Drop::icmp);
  allocation->errors_until = due + error_interval;

  // A Data indication even where a channel is bound (§12.5).
  stun::MessageWriter writer{out.scratch(), stun::Method::data, stun::Class::indication,
                             next_indication_id()};
  const auto size = writer.add(attribute::xor_peer_address, peer)
                        .add(attribute::icmp, told(error))
                        .finish()
                        .size();
  out.send({.from = allocation->path.socket,
            .source = allocation->path.tuple.server.address,
            .to = allocation->path.tuple.client,
            .prefix = out.keep(size),
            .payload = {}});
}

}  // namespace yuelao::turn

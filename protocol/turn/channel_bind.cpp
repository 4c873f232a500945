// RFC 8656 §12.2, receiving a ChannelBind request.

#include <algorithm>
#include <array>

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {

namespace attribute = stun::attribute;
using stun::ErrorCode;

Answer Engine::bind_channel(const ClientRelays& relays, const AuthenticatedRequest& request,
                            Now now) {
  const auto number = request.message().get(attribute::channel_number);
  const auto peer = request.message().get(attribute::xor_peer_address);
  // Also a number outside 0x4000-0x4FFF: the codec refuses it.
  if (!number || !peer) return Refusal{ErrorCode::bad_request};

  // Neither the channel nor the peer may be bound to another; checked before anything
  // is refreshed, so that asking wrongly keeps nothing alive. Both relays of a dual
  // allocation share the numbers: ChannelData names nothing else.
  auto* const relay = relays.of(peer->address.family());
  const ChannelBinding* by_number = nullptr;
  relays.for_each([&](const Allocation& one) {
    if (by_number == nullptr) by_number = one.channel(*number, now);
  });
  const auto* by_peer = relay == nullptr ? nullptr : relay->channel_to(*peer, now);
  if (by_number != by_peer) return Refusal{ErrorCode::bad_request};

  if (relay == nullptr) return Refusal{ErrorCode::peer_address_family_mismatch};
  // A TCP relay's connections carry octets alone (RFC 6062 §3).
  if (relay->transport != RelayTransport::udp) return Refusal{ErrorCode::forbidden};
  if (!permits_endpoint(*peer)) return Refusal{ErrorCode::forbidden};
  const std::array peers{peer->address};
  const auto added = new_among(*relay, peers, now);
  if (!has_room_for(*relay, added)) return Refusal{ErrorCode::insufficient_capacity};
  const auto* const permission = relay->permission_for(peer->address, now);
  const bool known = by_peer != nullptr || (permission != nullptr && permission->knows(peer->port));
  if (!known && !admit_new_peers(*relay, 1, now)) return Refusal{ErrorCode::insufficient_capacity};
  if (!bind(*relay, *number, *peer, now)) return Refusal{ErrorCode::insufficient_capacity};
  auto& granted = grant(*relay, peer->address, now);
  if (!granted.knows(peer->port)) granted.note(peer->port);
  return Success{};
}

// Of our own addresses only live relays may be bound, which have ports of our choice: the rest are
// other services of this machine.
bool Engine::permits_endpoint(const Endpoint& peer) const {
  const auto verdict = policy_.judge(peer.address);
  if (verdict == PeerPolicy::Verdict::forbidden) return false;
  if (directory_.live(peer)) return true;
  return verdict == PeerPolicy::Verdict::allowed && ports_.allow(RelayTransport::udp, peer.port);
}

// Creates or refreshes the binding. False: the allocation has all the channels it may.
bool Engine::bind(Allocation& allocation, stun::ChannelNumber number, const Endpoint& peer,
                  Now now) {
  auto& channels = allocation.channels;
  std::erase_if(channels, [now](const ChannelBinding& b) { return b.expires <= now.steady; });
  const auto expires = now.steady + channel_lifetime;
  const auto found = std::ranges::find(channels, number, &ChannelBinding::number);
  if (found != channels.end()) {
    found->expires = expires;
    return true;
  }
  if (channels.size() >= options_.limits.channels_per_allocation) return false;
  channels.push_back({.number = number, .peer = peer, .expires = expires});
  return true;
}

}  // namespace yuelao::turn

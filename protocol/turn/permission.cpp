// RFC 8656 §9 and §10.2: permissions, and receiving a CreatePermission request.

#include <algorithm>
#include <vector>

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;

// Every XOR-PEER-ADDRESS of the message; empty when there is none, or one is invalid.
std::vector<IpAddress> peers_in(const stun::Message& message) {
  std::vector<IpAddress> peers;
  bool valid = true;
  message.for_each([&](stun::AttributeType type, Bytes value) {
    if (type != attribute::xor_peer_address.type) return;
    const auto peer =
        stun::XorAddressCodec::decode(value, message.transaction_id().cookie_and_id());
    valid &= peer.has_value();
    if (peer) peers.push_back(peer->address);
  });
  if (!valid) peers.clear();
  return peers;
}

template <class Entry>
void drop_expired(std::vector<Entry>& entries, Now now) {
  std::erase_if(entries, [now](const Entry& entry) { return entry.expires <= now.steady; });
}

}  // namespace

// All or nothing: one address that may not be reached refuses the whole request, so
// that a forbidden address cannot ride along with a legal one.
Answer Engine::create_permission(const ClientRelays& relays, const AuthenticatedRequest& request,
                                 Now now) {
  const auto peers = peers_in(request.message());
  if (peers.empty()) return Refusal{ErrorCode::bad_request};
  for (const auto& peer : peers) {
    if (relays.of(peer.family()) == nullptr) {
      return Refusal{ErrorCode::peer_address_family_mismatch};
    }
  }
  for (const auto& peer : peers) {
    if (!permits_address(peer)) return Refusal{ErrorCode::forbidden};
  }
  bool room = true;
  relays.for_each([&](Allocation& allocation) {
    room &= has_room_for(allocation, new_among(allocation, peers, now));
  });
  relays.for_each([&](Allocation& allocation) {
    room = room && admit_new_peers(allocation, new_among(allocation, peers, now), now);
  });
  if (!room) return Refusal{ErrorCode::insufficient_capacity};
  for (const auto& peer : peers) grant(*relays.of(peer.family()), peer, now);
  return Success{};
}

// A permission names an address without a port, so for our own relay addresses it may
// stand; which of their ports are reached is judged with every datagram.
bool Engine::permits_address(const IpAddress& peer) const {
  const auto verdict = policy_.judge(peer);
  return verdict == PeerPolicy::Verdict::allowed ||
         (verdict == PeerPolicy::Verdict::own && directory_.has(peer));
}

bool Engine::live_relays_only(const IpAddress& peer) const {
  return policy_.judge(peer) == PeerPolicy::Verdict::own;
}

std::size_t Engine::new_among(Allocation& allocation, std::span<const IpAddress> peers,
                              Now now) const {
  drop_expired(allocation.permissions, now);
  std::vector<IpAddress> added;
  for (const auto& peer : peers) {
    if (peer.family() != allocation.family) continue;
    const bool known = allocation.permission_for(peer, now) != nullptr;
    if (!known && std::ranges::find(added, peer) == added.end()) added.push_back(peer);
  }
  return added.size();
}

bool Engine::has_room_for(const Allocation& allocation, std::size_t permissions) const {
  const auto limit = options_.limits.permissions_per_allocation;
  return allocation.permissions.size() + permissions <= limit;
}

// RFC 8656 §9: installs the permission, or starts its 300 seconds anew.
Permission& Engine::grant(Allocation& allocation, const IpAddress& peer, Now now) {
  const auto expires = now.steady + permission_lifetime;
  const auto found = std::ranges::find(allocation.permissions, peer, &Permission::peer);
  if (found != allocation.permissions.end()) {
    found->expires = expires;
    return *found;
  }
  return allocation.permissions.emplace_back(Permission{.peer = peer,
                                                        .expires = expires,
                                                        .live_relays_only = live_relays_only(peer),
                                                        .here = directory_.has(peer)});
}

// After new peer rules: what they forbid ends at once, also where it was granted before.
void Engine::forget_forbidden_peers() {
  allocations_.for_each([this](Allocation& allocation) {
    std::erase_if(allocation.permissions, [this](const Permission& permission) {
      return !permits_address(permission.peer);
    });
    for (auto& permission : allocation.permissions) {
      permission.live_relays_only = live_relays_only(permission.peer);
    }
    // A channel to a relay of this server that is gone may stand: there may be another one.
    std::erase_if(allocation.channels, [this](const ChannelBinding& channel) {
      const auto& [peer, port] = channel.peer;
      if (policy_.judge(peer) == PeerPolicy::Verdict::own) return !directory_.has(peer);
      return !permits_endpoint(channel.peer);
    });
  });
  forbid_connections();
}

}  // namespace yuelao::turn

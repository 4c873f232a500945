// RFC 8656 §8.2, receiving a Refresh request.

#include <expected>

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {

namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;

// A family that the client has no relay of is a mismatch, also one that is none.
std::expected<ClientRelays, Refusal> relays_meant(const ClientRelays& relays,
                                                  const stun::Message& message) {
  if (!message.has(attribute::requested_address_family.type)) return relays;
  const auto family = message.get(attribute::requested_address_family);
  auto* const allocation = family ? relays.of(*family) : nullptr;
  if (allocation == nullptr) {
    return std::unexpected{Refusal{ErrorCode::peer_address_family_mismatch}};
  }
  ClientRelays meant;
  meant.add(*allocation);
  return meant;
}

}  // namespace

// For each relay that the request is about: those of the family it names, or all (§8.1).
std::expected<Engine::Renewal, Refusal> Engine::renewal_for(const ClientRelays& relays,
                                                            const stun::Message& message) const {
  const auto meant = relays_meant(relays, message);
  if (!meant) return std::unexpected{meant.error()};
  const auto asked = message.get(attribute::lifetime);
  if (!asked && asked.error() == stun::AttributeError::malformed) {
    return std::unexpected{Refusal{ErrorCode::bad_request}};
  }
  const bool ends = asked && *asked == std::chrono::seconds{0};
  return Renewal{*meant, ends ? std::chrono::seconds{0} : initial_lifetime(message)};
}

Answer Engine::renew(const Renewal& renewal, Now now, Outbox& out) {
  renewal.relays.for_each([&](Allocation& allocation) {
    if (renewal.lifetime == std::chrono::seconds{0}) {
      return end(allocation, Notice::Event::allocation_deleted, out);
    }
    allocation.lifetime = renewal.lifetime;
    allocation.expires = now.steady + renewal.lifetime;
    // A reminder that comes too early puts itself back; only an end in an earlier second needs
    // one. Anything more, and a client that refreshes all the time would fill the wheel.
    if (allocation.expires < allocation.wakes - 1s) wake_at_expiry(allocation, now);
  });
  return Success{.lifetime = renewal.lifetime};
}

Answer Engine::refresh(const ClientRelays& relays, const AuthenticatedRequest& request, Now now,
                       Outbox& out) {
  const auto renewal = renewal_for(relays, request.message());
  return renewal ? renew(*renewal, now, out) : renewal.error();
}

}  // namespace yuelao::turn

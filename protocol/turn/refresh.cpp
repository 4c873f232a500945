// RFC 8656 §8.2, receiving a Refresh request.

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {

namespace attribute = stun::attribute;
using stun::ErrorCode;

Answer Engine::refresh(Allocation& allocation, const AuthenticatedRequest& request, Now now,
                       Outbox& out) {
  const auto& message = request.message();
  const auto family = message.get(attribute::requested_address_family);
  const bool family_given = message.has(attribute::requested_address_family.type);
  if (family_given && family != allocation.family) {
    return Refusal{ErrorCode::peer_address_family_mismatch};
  }
  const auto asked = message.get(attribute::lifetime);
  if (!asked && asked.error() == stun::AttributeError::malformed) {
    return Refusal{ErrorCode::bad_request};
  }
  if (asked && *asked == std::chrono::seconds{0}) {
    end(allocation, Notice::Event::allocation_deleted, out);
    return Success{.lifetime = std::chrono::seconds{0}};
  }
  allocation.lifetime = initial_lifetime(message);
  allocation.expires = now.steady + allocation.lifetime;
  // A reminder that comes too early puts itself back; only an end in an earlier second needs
  // one. Anything more, and a client that refreshes all the time would fill the wheel.
  if (allocation.expires < allocation.wakes - 1s) wake_at_expiry(allocation, now);
  return Success{.lifetime = allocation.lifetime};
}

}  // namespace yuelao::turn

#include "protocol/turn/authentication.hpp"

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/integrity.hpp"

namespace yuelao::turn {

namespace attribute = stun::attribute;
using stun::ErrorCode;

Authentication::Authentication(const Options& options)
    : users_{options.credentials, options.realm},
      nonces_{options.nonce_key, options.realm, options.nonce_lifetime} {}

// RFC 8489 §9.2.4, in its order.
std::expected<AuthenticatedRequest, Refusal> Authentication::check(const Request& request,
                                                                   std::optional<KnownUser> known,
                                                                   WallTime now) const {
  const auto& message = request.message;
  if (!message.has(attribute::message_integrity.type)) {
    return std::unexpected{Refusal{ErrorCode::unauthenticated}};
  }
  const auto user = message.get(attribute::username);
  const auto realm = message.get(attribute::realm);
  const auto nonce = message.get(attribute::nonce);
  if (!user || !realm || !nonce) return std::unexpected{Refusal{ErrorCode::bad_request}};

  const auto key = proven_key(message, *user, known, now);
  if (!key) return std::unexpected{Refusal{ErrorCode::unauthenticated}};

  if (!nonces_.valid(*nonce, request.path.tuple.client, now)) {
    return std::unexpected{Refusal{ErrorCode::stale_nonce}};
  }
  return AuthenticatedRequest{request, *user, *key};
}

std::optional<stun::Md5Key> Authentication::proven_key(const stun::Message& message,
                                                       std::string_view user,
                                                       std::optional<KnownUser> known,
                                                       WallTime now) const {
  const auto proves = [&message](const stun::Md5Key& key) {
    return stun::verify_integrity(message, key) == stun::Integrity::valid;
  };
  if (known && known->name == user && proves(known->key)) return known->key;
  const auto candidates = users_.keys_of(user, now);
  for (const auto& key : candidates.keys) {
    if (proves(key) && candidates.genuine) return key;
  }
  return std::nullopt;
}

}  // namespace yuelao::turn

#include "protocol/turn/authentication.hpp"

#include <algorithm>
#include <array>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/integrity.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;
using stun::KeyAlgorithm;

// §18.5: numbers, and parameters of no length.
constexpr std::array offered{std::byte{0}, std::byte{2}, std::byte{0}, std::byte{0},
                             std::byte{0}, std::byte{1}, std::byte{0}, std::byte{0}};

bool has_integrity(const stun::Message& message) {
  return message.has(attribute::message_integrity.type) ||
         message.has(attribute::message_integrity_sha256.type);
}

bool has_identity(const stun::Message& message) {
  return message.get(attribute::username).has_value() ||
         message.get(attribute::userhash).has_value();
}

// §9.2.4, third step. Empty: 400. A nonce that does not offer algorithms is not one of
// ours; whoever removed the offer gets no further than to a 438.
std::optional<KeyAlgorithm> algorithm_of(const stun::Message& message, std::string_view nonce) {
  if (!stun::security_features_of(nonce).password_algorithms) return KeyAlgorithm::md5;
  const auto list = message.value_of(attribute::password_algorithms.type);
  const bool chosen = message.has(attribute::password_algorithm.type);
  if (!list && !chosen) return KeyAlgorithm::md5;

  const auto choice = message.get(attribute::password_algorithm);
  if (!list || !choice || !std::ranges::equal(*list, offered)) return std::nullopt;
  // Both that are known are offered, and neither has parameters.
  return choice->parameters.empty() ? stun::key_algorithm(choice->number) : std::nullopt;
}

// §9.2.4, fifth step: MESSAGE-INTEGRITY counts only where the better one is absent. TURN
// allows no truncation, so that one has all its 32 octets (§14.6).
bool proves(const stun::LongTermKey& key, const stun::Message& message) {
  const auto integrity = message.has(attribute::message_integrity_sha256.type)
                             ? stun::verify_integrity_sha256(message, key.bytes())
                             : stun::verify_integrity(message, key.bytes());
  return integrity == stun::Integrity::valid;
}

}  // namespace

Bytes Authentication::offered_algorithms() { return offered; }

Authentication::Authentication(const Options& options)
    : users_{options.credentials, options.realm},
      realm_{options.realm},
      nonces_{options.nonce_key, options.realm, options.nonce_lifetime},
      features_{.password_algorithms = true, .user_anonymity = users_.all_have_hashes()} {}

// RFC 8489 §9.2.4, in its order.
std::expected<AuthenticatedRequest, Refusal> Authentication::check(const Request& request,
                                                                   std::optional<KnownUser> known,
                                                                   WallTime now) const {
  const auto& message = request.message;
  if (!has_integrity(message)) return std::unexpected{Refusal{ErrorCode::unauthenticated}};

  const auto nonce = message.get(attribute::nonce);
  if (!has_identity(message) || !message.get(attribute::realm) || !nonce) {
    return std::unexpected{Refusal{ErrorCode::bad_request}};
  }
  const auto algorithm = algorithm_of(message, *nonce);
  if (!algorithm) return std::unexpected{Refusal{ErrorCode::bad_request}};

  const auto user = name_in(message, known);
  const bool same =
      user && known && known->name == *user && known->proof.key.algorithm() == *algorithm;
  const auto proof = same && proves(known->proof.key, message)
                         ? std::optional{known->proof}
                         : proof_in(message, user, *algorithm, now);
  if (!proof) return std::unexpected{Refusal{ErrorCode::unauthenticated}};

  if (!nonces_.valid(*nonce, request.path.tuple.client, now)) {
    return std::unexpected{Refusal{ErrorCode::stale_nonce}};
  }
  return AuthenticatedRequest{request, *user, *proof};
}

// A REST name is no secret to whoever has its allocation, so there its hash does as well.
std::optional<std::string_view> Authentication::name_in(const stun::Message& message,
                                                        std::optional<KnownUser> known) const {
  if (const auto name = message.get(attribute::username)) return *name;
  const auto hash = message.get(attribute::userhash);
  if (!hash) return std::nullopt;
  if (known && stun::user_hash(known->name, realm_) == *hash) return known->name;
  return users_.name_of(*hash);
}

// Nobody has a hash that is not found: as for an unknown name a key is tried all the same.
std::optional<Proof> Authentication::proof_in(const stun::Message& message,
                                              std::optional<std::string_view> user,
                                              KeyAlgorithm algorithm, WallTime now) const {
  const auto candidates =
      user ? users_.candidates_for(*user, algorithm, now) : Candidates{.proofs = {Proof{}}};
  std::size_t tried = 0;
  for (const auto& proof : candidates.proofs) {
    if (proves(proof.key, message) && tried < candidates.genuine) return proof;
    ++tried;
  }
  return std::nullopt;
}

}  // namespace yuelao::turn

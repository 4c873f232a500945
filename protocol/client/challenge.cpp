#include "protocol/client/challenge.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/integrity.hpp"
#include "protocol/stun/security_features.hpp"

namespace yuelao::client {
namespace {

namespace attribute = stun::attribute;
using stun::KeyAlgorithm;

std::string text_of(Bytes bytes) { return std::string{as_text(bytes)}; }

// RFC 8489 §9.2.5 takes the first one that the client knows; where both are offered RFC 8656
// §6 has a TURN client take SHA-256, wherever it stands.
std::optional<KeyAlgorithm> choose(const stun::PasswordAlgorithms& offered) {
  const auto list = offered.list();
  for (const auto wanted : {KeyAlgorithm::sha256, KeyAlgorithm::md5}) {
    const auto number = static_cast<std::uint16_t>(wanted);
    if (std::ranges::find(list, number, &stun::PasswordAlgorithm::number) != list.end()) {
      return wanted;
    }
  }
  return std::nullopt;
}

}  // namespace

bool bid_down(const stun::Message& response) {
  const auto nonce = response.get(attribute::nonce);
  return nonce && stun::security_features_of(*nonce).password_algorithms &&
         !response.get(attribute::password_algorithms);
}

std::expected<Challenge, ChallengeError> Challenge::from(const stun::Message& error,
                                                         const Credentials& credentials) {
  const auto realm = error.get(attribute::realm);
  const auto nonce = error.get(attribute::nonce);
  if (!realm || !nonce) return std::unexpected{ChallengeError::incomplete};
  const auto features = stun::security_features_of(*nonce);
  if (bid_down(error)) return std::unexpected{ChallengeError::bid_down};

  Challenge challenge;
  const auto offered = error.get(attribute::password_algorithms);
  if (offered) {
    const auto algorithm = choose(*offered);
    if (!algorithm) return std::unexpected{ChallengeError::no_algorithm};
    challenge.offer_.chosen = *algorithm;
    for (const auto& [number, parameters] : offered->list()) {
      challenge.offer_.algorithms.push_back(number);
    }
    challenge.algorithms_ = text_of(*error.value_of(attribute::password_algorithms.type));
  }
  challenge.realm_ = *realm;
  challenge.nonce_ = *nonce;
  challenge.offer_.user_anonymity = features.user_anonymity;
  challenge.user_ = features.user_anonymity ? text_of(stun::user_hash(credentials.user, *realm))
                                            : credentials.user;
  const stun::LongTermKey key{challenge.offer_.chosen, credentials.user, challenge.realm_,
                              credentials.password.reveal()};
  challenge.key_ = Secret{text_of(key.bytes())};
  return challenge;
}

void Challenge::sign(stun::MessageWriter& writer) const {
  if (offer_.user_anonymity) {
    writer.add(stun::Attribute<Bytes>{attribute::userhash.type}, as_bytes(user_));
  } else {
    writer.add(attribute::username, std::string_view{user_});
  }
  writer.add(attribute::realm, std::string_view{realm_})
      .add(attribute::nonce, std::string_view{nonce_});
  if (algorithms_.empty()) {
    writer.add_integrity(key_.bytes());
    return;
  }
  writer.add(stun::Attribute<Bytes>{attribute::password_algorithms.type}, as_bytes(algorithms_))
      .add(attribute::password_algorithm, {static_cast<std::uint16_t>(offer_.chosen), {}})
      .add_integrity_sha256(key_.bytes());
}

// Whoever offered PASSWORD-ALGORITHMS answers with SHA-256, so that nobody on the path can
// strip the better one.
bool Challenge::verifies(const stun::Message& response) const {
  const auto integrity = algorithms_.empty()
                             ? stun::verify_integrity(response, key_.bytes())
                             : stun::verify_integrity_sha256(response, key_.bytes());
  return integrity == stun::Integrity::valid && !bid_down(response);
}

}  // namespace yuelao::client

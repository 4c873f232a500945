#include "protocol/client/challenge.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/integrity.hpp"

namespace yuelao::client {
namespace {

namespace attribute = stun::attribute;
using stun::PasswordAlgorithm;

// RFC 8489 §9.2: "obMatJos2" and 24 bits of features in base64, of which the first two
// are assigned (§18.1).
struct Features {
  bool password_algorithms = false;
  bool anonymous_users = false;
};

Features features_of(std::string_view nonce) {
  constexpr std::string_view cookie = "obMatJos2";
  constexpr std::string_view base64 =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (!nonce.starts_with(cookie) || nonce.size() < cookie.size() + 4) return {};
  const auto bits = base64.find(nonce[cookie.size()]);
  if (bits == std::string_view::npos) return {};
  return {(bits & 0x20U) != 0, (bits & 0x10U) != 0};
}

// RFC 8489 §9.2.1: the nonce's bits are there so that nobody on the path can take the list away.
bool lacks_algorithms(const stun::Message& response) {
  const auto nonce = response.get(attribute::nonce);
  return nonce && features_of(*nonce).password_algorithms &&
         !response.get(attribute::password_algorithms);
}

std::string text_of(Bytes bytes) { return std::string{as_text(bytes)}; }

// RFC 8489 §9.2.5 takes the first one that the client knows; where both are offered RFC 8656
// §6 has a TURN client take SHA-256, wherever it stands.
std::optional<std::uint16_t> choose(const stun::PasswordAlgorithms& offered) {
  for (const auto number : {PasswordAlgorithm::sha256, PasswordAlgorithm::md5}) {
    const auto list = offered.list();
    if (std::ranges::find(list, number, &PasswordAlgorithm::number) != list.end()) return number;
  }
  return std::nullopt;
}

Secret key_of(std::uint16_t algorithm, const std::string& realm, const Credentials& credentials) {
  const auto password = credentials.password.reveal();
  if (algorithm == PasswordAlgorithm::sha256) {
    return Secret{text_of(stun::long_term_key_sha256(credentials.user, realm, password))};
  }
  return Secret{text_of(stun::long_term_key(credentials.user, realm, password))};
}

}  // namespace

std::expected<Challenge, ChallengeError> Challenge::from(const stun::Message& error,
                                                         const Credentials& credentials) {
  const auto realm = error.get(attribute::realm);
  const auto nonce = error.get(attribute::nonce);
  if (!realm || !nonce) return std::unexpected{ChallengeError::incomplete};
  if (lacks_algorithms(error)) return std::unexpected{ChallengeError::bid_down};

  Challenge challenge;
  const auto offered = error.get(attribute::password_algorithms);
  if (offered) {
    const auto algorithm = choose(*offered);
    if (!algorithm) return std::unexpected{ChallengeError::no_algorithm};
    challenge.algorithm_ = *algorithm;
    challenge.algorithms_ = text_of(*error.value_of(attribute::password_algorithms.type));
  }
  challenge.realm_ = *realm;
  challenge.nonce_ = *nonce;
  challenge.anonymous_ = features_of(*nonce).anonymous_users;
  challenge.user_ =
      challenge.anonymous_ ? text_of(stun::user_hash(credentials.user, *realm)) : credentials.user;
  challenge.key_ = key_of(challenge.algorithm_, challenge.realm_, credentials);
  return challenge;
}

void Challenge::sign(stun::MessageWriter& writer) const {
  if (anonymous_) {
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
      .add(attribute::password_algorithm, {algorithm_, {}})
      .add_integrity_sha256(key_.bytes());
}

// Whoever offered PASSWORD-ALGORITHMS answers with SHA-256, so that nobody on the path can
// strip the better one.
bool Challenge::verifies(const stun::Message& response) const {
  const auto integrity = algorithms_.empty()
                             ? stun::verify_integrity(response, key_.bytes())
                             : stun::verify_integrity_sha256(response, key_.bytes());
  return integrity == stun::Integrity::valid && !lacks_algorithms(response);
}

}  // namespace yuelao::client

#pragma once

#include <openssl/crypto.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/bytes.hpp"

namespace yuelao::stun {

// RFC 8489 §9.2.2: what the HMAC is keyed with under long-term credentials.
using Md5Key = std::array<std::byte, 16>;
using Sha256Key = std::array<std::byte, 32>;

// MD5(user ":" realm ":" password), RFC 8489 §18.5.1.1. The three strings are
// taken as they are: prepare them with opaque_string() first where they come from
// a person.
Md5Key long_term_key(std::string_view user, std::string_view realm, std::string_view password);
// False where OpenSSL refuses MD5, as in FIPS mode: long_term_key() would abort.
bool long_term_keys_work();
// SHA-256 of the same, RFC 8489 §18.5.1.2.
Sha256Key long_term_key_sha256(std::string_view user, std::string_view realm,
                               std::string_view password);

// RFC 8265 §4.2, the OpaqueString profile: non-ASCII spaces become U+0020, the
// result is NFC; empty when the text is not UTF-8, is empty, or holds a character
// that the FreeformClass (RFC 8264 §4.3) disallows.
std::optional<std::string> opaque_string(std::string_view text);

// The password algorithms of RFC 8489 §18.5, by their numbers.
enum class KeyAlgorithm : std::uint16_t { md5 = 0x0001, sha256 = 0x0002 };
// Empty for a number that RFC 8489 does not assign.
std::optional<KeyAlgorithm> key_algorithm(std::uint16_t number);

// A long-term key, and which algorithm made it. Its memory is wiped when it goes.
class LongTermKey {
 public:
  LongTermKey() = default;  // zeros, which nobody may be let in with
  LongTermKey(KeyAlgorithm algorithm, std::string_view user, std::string_view realm,
              std::string_view password);
  LongTermKey(const LongTermKey&) = default;
  LongTermKey& operator=(const LongTermKey&) = default;
  ~LongTermKey() { OPENSSL_cleanse(octets_.data(), octets_.size()); }

  KeyAlgorithm algorithm() const { return algorithm_; }
  // What the HMAC is keyed with. Lives as long as this object.
  Bytes bytes() const {
    return Bytes{octets_}.first(algorithm_ == KeyAlgorithm::md5 ? sizeof(Md5Key)
                                                                : sizeof(Sha256Key));
  }

 private:
  Sha256Key octets_{};
  KeyAlgorithm algorithm_ = KeyAlgorithm::md5;
};

// USERHASH: SHA-256(user ":" realm), RFC 8489 §14.4; both prepared with opaque_string().
using UserHash = std::array<std::byte, 32>;
UserHash user_hash(std::string_view user, std::string_view realm);

// base64 of HMAC-SHA1(secret, user name): the password of a TURN REST user name
// (draft-uberti-behave-turn-rest-00 §2.2).
std::string rest_password(std::string_view secret, std::string_view user);

// RFC 4648 §4, with padding.
std::string base64(Bytes data);

}  // namespace yuelao::stun

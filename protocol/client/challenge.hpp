#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "protocol/secret.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/stun/message_writer.hpp"

namespace yuelao::client {

// Long-term credentials (RFC 8489 §9.2), both prepared with stun::opaque_string().
struct Credentials {
  std::string user;
  Secret password;
};

enum class ChallengeError : std::uint8_t {
  incomplete,    // no REALM or no NONCE
  bid_down,      // the nonce promises PASSWORD-ALGORITHMS and there are none (§9.2.1)
  no_algorithm,  // none of PASSWORD-ALGORITHMS is MD5 or SHA-256
};

// What a server offers in its challenge, and what a client takes of it.
struct Offer {
  // The numbers of PASSWORD-ALGORITHMS in the server's order; empty where there are none,
  // and RFC 5389 holds: MD5 keys and HMAC-SHA1.
  std::vector<std::uint16_t> algorithms;
  // SHA-256 wherever it stands (RFC 8656 §6), MD5 where it is the only one that is known.
  stun::KeyAlgorithm chosen = stun::KeyAlgorithm::md5;
  bool user_anonymity = false;  // USERHASH, which the client takes too
};

// RFC 8489 §9.2.5: NONCE promises PASSWORD-ALGORITHMS, and somebody took them away.
bool bid_down(const stun::Message& response);

// What a server's 401 or 438 teaches a client, and the requests signed with it (RFC 8489
// §9.2.5). Asserts stun::long_term_keys_work().
class Challenge {
 public:
  static std::expected<Challenge, ChallengeError> from(const stun::Message& error,
                                                       const Credentials& credentials);

  // Adds the credentials and the integrity: the last attributes but FINGERPRINT.
  void sign(stun::MessageWriter& writer) const;
  // Whether a response counts: signed with the same key, in the way that was asked for, and
  // without a nonce that promises what is not there.
  bool verifies(const stun::Message& response) const;
  const std::string& realm() const { return realm_; }
  const Offer& offer() const { return offer_; }

 private:
  Challenge() = default;

  std::string realm_;
  std::string nonce_;
  std::string user_;        // USERNAME, or the octets of USERHASH
  std::string algorithms_;  // the value of PASSWORD-ALGORITHMS; empty: there was none
  Offer offer_;
  Secret key_;
};

}  // namespace yuelao::client

#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/now.hpp"
#include "protocol/turn/nonce.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/request.hpp"
#include "protocol/turn/users.hpp"

namespace yuelao::turn {

// A user who is already known on the five-tuple: the key is not derived again, a REST
// name that has expired since keeps its allocation, and is found by its USERHASH.
struct KnownUser {
  std::string_view name;  // lives as long as what check() returns
  const Proof& proof;
};

// The long-term credential mechanism of RFC 8489 §9.2.4: MD5 and SHA-256 keys, USERNAME
// and USERHASH, HMAC-SHA1 and HMAC-SHA256.
class Authentication {
 public:
  // The value of PASSWORD-ALGORITHMS in every challenge (§14.11): SHA-256, then MD5. Of one
  // value for ever: a request repeats it, and its nonce may be another server's.
  static Bytes offered_algorithms();

  explicit Authentication(const Options& options);

  // Refusals: 401 without or with wrong credentials, 400 where some but not all of
  // USERNAME or USERHASH, REALM and NONCE stand beside the integrity or where the password
  // algorithms are not those that were offered, 438 for a nonce that is not (or no longer)
  // this client's.
  std::expected<AuthenticatedRequest, Refusal> check(const Request& request,
                                                     std::optional<KnownUser> known,
                                                     WallTime now) const;

  // Users::stands().
  bool stands(std::string_view user, CredentialId credential) const {
    return users_.stands(user, credential);
  }

  NonceText nonce_for(const Endpoint& client, WallTime now) const {
    return nonces_.make(client, features_, now);
  }

 private:
  std::optional<std::string_view> name_in(const stun::Message& message,
                                          std::optional<KnownUser> known) const;
  std::optional<Proof> proof_in(const stun::Message& message, std::optional<std::string_view> user,
                                stun::KeyAlgorithm algorithm, WallTime now) const;

  Users users_;
  std::string realm_;
  NonceSigner nonces_;
  stun::SecurityFeatures features_;
};

}  // namespace yuelao::turn

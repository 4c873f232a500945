#pragma once

#include <expected>

#include "protocol/now.hpp"
#include "protocol/turn/nonce.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/request.hpp"
#include "protocol/turn/users.hpp"

namespace yuelao::turn {

// A user who is already known on the five-tuple: the key is not derived again, and a
// REST name that has expired since keeps its allocation.
struct KnownUser {
  std::string_view name;
  const stun::Md5Key& key;
};

// The long-term credential mechanism of RFC 8489 §9.2.4, with MD5 keys and HMAC-SHA1.
class Authentication {
 public:
  explicit Authentication(const Options& options);

  // Refusals: 401 without or with wrong credentials, 400 where some but not all of
  // USERNAME, REALM and NONCE stand beside the integrity, 438 for a nonce that is not
  // (or no longer) this client's.
  std::expected<AuthenticatedRequest, Refusal> check(const Request& request,
                                                     std::optional<KnownUser> known,
                                                     WallTime now) const;

  NonceText nonce_for(const Endpoint& client, WallTime now) const {
    return nonces_.make(client, now);
  }

 private:
  std::optional<stun::Md5Key> proven_key(const stun::Message& message, std::string_view user,
                                         std::optional<KnownUser> known, WallTime now) const;

  Users users_;
  NonceSigner nonces_;
};

}  // namespace yuelao::turn

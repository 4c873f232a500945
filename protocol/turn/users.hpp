#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "protocol/now.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/proof.hpp"

namespace yuelao::turn {

struct Candidates {
  std::vector<Proof> proofs;
  // How many of them prove anything, from the first one on; none where nobody has this name, or
  // it is expired or denied. The others are there all the same, and are to be tried and their
  // outcome ignored, so that a refusal takes as long whoever is named: whoever measures it learns
  // of no name that there is.
  std::size_t genuine = 0;
};

// Who a user name may belong to: static users, and TURN REST names that carry their
// own expiry (draft-uberti-behave-turn-rest-00 §2.2), at the same time.
class Users {
 public:
  Users(const Credentials& credentials, std::string_view realm);

  // The keys any of which proves that the sender is `name`, the likeliest first. Those of
  // static users are made once, when the configuration is read.
  Candidates candidates_for(std::string_view name, stun::KeyAlgorithm algorithm,
                            WallTime now) const;

  // RFC 8489 §9.2.4: whose USERHASH this is. Static users alone: a REST name is made by
  // another program and cannot be found from its hash. The view lives as long as this.
  std::optional<std::string_view> name_of(const stun::UserHash& hash) const;
  // Whether name_of() finds everybody there may be. Only then may USERHASH be asked for:
  // a client that is offered it sends nothing else (§9.2.5).
  bool all_have_hashes() const;
  // Whether `name`, who was let in with this credential once, may stay: the credential is
  // configured still, and the name not denied. One that has expired since may.
  bool stands(std::string_view name, CredentialId credential) const;

 private:
  struct StaticKeys {
    std::string name;
    stun::LongTermKey md5;
    stun::LongTermKey sha256;
    CredentialId id;
  };
  // A hash is as good as any of its parts, and nobody outside chooses those in the table.
  struct FirstOctets {
    std::size_t operator()(const stun::UserHash& hash) const { return load_u64(hash); }
  };

  bool rest_name_valid(std::string_view name, WallTime now) const;
  bool denied(std::string_view name) const;

  Credentials credentials_;
  std::string realm_;
  std::vector<StaticKeys> static_keys_;
  std::vector<CredentialId> secret_ids_;                         // of credentials_.rest_secrets
  boost::unordered_flat_map<std::string, std::size_t> by_name_;  // into static_keys_
  boost::unordered_flat_map<stun::UserHash, std::size_t, FirstOctets> by_hash_;
  boost::unordered_flat_set<CredentialId> configured_;
  boost::unordered_flat_set<std::string> denied_;
};

}  // namespace yuelao::turn

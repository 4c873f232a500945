#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/now.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/turn/options.hpp"

namespace yuelao::turn {

struct Candidates {
  std::vector<stun::Md5Key> keys;
  // False: nobody has this name, or it is expired. The keys are there all the same, and
  // are to be tried and their outcome ignored, so that the refusal takes as long as the
  // one for a wrong password.
  bool genuine = false;
};

// Who a user name may belong to: static users, and TURN REST names that carry their
// own expiry (draft-uberti-behave-turn-rest-00 §2.2), at the same time.
class Users {
 public:
  Users(const Credentials& credentials, std::string_view realm);

  // The keys any of which proves that the sender is `name`, the likeliest first.
  Candidates keys_of(std::string_view name, WallTime now) const;

 private:
  bool rest_name_valid(std::string_view name, WallTime now) const;

  Credentials credentials_;
  std::string realm_;
  boost::unordered_flat_map<std::string, stun::Md5Key> static_keys_;
};

}  // namespace yuelao::turn

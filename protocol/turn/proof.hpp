#pragma once

#include <cstdint>

#include "protocol/stun/credentials.hpp"

namespace yuelao::turn {

// Which of the configured credentials it was: a user with a password, or a shared secret. The same
// value as long as that one is configured, whatever else changes.
using CredentialId = std::uint64_t;

// What has shown that a user is who they say.
struct Proof {
  stun::LongTermKey key;
  CredentialId credential = 0;
};

}  // namespace yuelao::turn

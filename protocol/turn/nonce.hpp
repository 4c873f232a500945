#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"
#include "protocol/secret.hpp"
#include "protocol/stun/security_features.hpp"

namespace yuelao::turn {

// The text of a NONCE: the nonce cookie (RFC 8489 §9.2), and in 15 base64 digits the lower
// 24 bits of its time of making and a 64-bit MAC. No longer, because a challenge answers
// whoever claims to be there.
using NonceText = std::array<char, stun::nonce_cookie_size + 15>;

// Signed nonces: nothing is remembered, so a flood of forged requests costs no memory.
// Bound to the client's address and port (RFC 8489 §9.2.4 asks that no two share one),
// to the realm, to their time and to what their cookie says; a captured request is useless
// from anywhere else.
class NonceSigner {
 public:
  NonceSigner(const Secret& key, std::string_view realm, std::chrono::seconds lifetime);

  NonceText make(const Endpoint& client, stun::SecurityFeatures features, WallTime now) const;
  // False: forged, made for another client, expired, or made in the future. Compares
  // in constant time.
  bool valid(std::string_view nonce, const Endpoint& client, WallTime now) const;

 private:
  NonceText sign(std::uint32_t made, stun::SecurityFeatures features, const Endpoint& client) const;

  Secret key_;  // of this realm alone
  std::chrono::seconds lifetime_;
};

}  // namespace yuelao::turn

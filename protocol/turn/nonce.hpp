#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"
#include "protocol/secret.hpp"

namespace yuelao::turn {

// The text of a NONCE: 8 hexadecimal digits of its time of making and 16 base64
// characters of a 96-bit MAC.
using NonceText = std::array<char, 24>;

// Signed nonces: nothing is remembered, so a flood of forged requests costs no memory.
// Bound to the client's address and port (RFC 8489 §9.2.4 asks that no two share one),
// to the realm and to their time; a captured request is useless from anywhere else.
class NonceSigner {
 public:
  NonceSigner(const Secret& key, std::string_view realm, std::chrono::seconds lifetime);

  NonceText make(const Endpoint& client, WallTime now) const;
  // False: forged, made for another client, expired, or made in the future. Compares
  // in constant time.
  bool valid(std::string_view nonce, const Endpoint& client, WallTime now) const;

 private:
  NonceText sign(std::uint32_t made, const Endpoint& client) const;

  Secret key_;
  std::string realm_;
  std::chrono::seconds lifetime_;
};

}  // namespace yuelao::turn

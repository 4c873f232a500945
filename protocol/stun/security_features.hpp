#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace yuelao::stun {

// What a server's nonces say that it offers, so that nobody on the path can take it away
// unnoticed (RFC 8489 §9.2.1). The bits are those of §18.1.
struct SecurityFeatures {
  bool password_algorithms = false;  // bit 0: PASSWORD-ALGORITHMS
  bool user_anonymity = false;       // bit 1: USERHASH
  friend constexpr bool operator==(const SecurityFeatures&, const SecurityFeatures&) = default;
};

// RFC 8489 §9.2: "obMatJos2" and the 24 bits in base64, at the beginning of every nonce of
// a server that knows the RFC.
inline constexpr std::size_t nonce_cookie_size = 13;
std::array<char, nonce_cookie_size> nonce_cookie(SecurityFeatures features);

// What `nonce` says. Nothing where it does not begin with a nonce cookie: a server that
// knows RFC 5389 alone. Bits that are not assigned are ignored.
SecurityFeatures security_features_of(std::string_view nonce);

}  // namespace yuelao::stun

#include "protocol/stun/security_features.hpp"

#include <algorithm>

namespace yuelao::stun {
namespace {

constexpr std::string_view prefix = "obMatJos2";
constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// §18.1 counts bits from the most significant one, so the two that are assigned are the
// upper ones of the first of four digits.
constexpr std::size_t password_algorithms_bit = 0x20;
constexpr std::size_t user_anonymity_bit = 0x10;

}  // namespace

std::array<char, nonce_cookie_size> nonce_cookie(SecurityFeatures features) {
  std::array<char, nonce_cookie_size> cookie{};
  cookie.fill(base64_digits[0]);
  std::ranges::copy(prefix, cookie.begin());
  const auto bits = (features.password_algorithms ? password_algorithms_bit : 0) |
                    (features.user_anonymity ? user_anonymity_bit : 0);
  cookie[prefix.size()] = base64_digits[bits];
  return cookie;
}

SecurityFeatures security_features_of(std::string_view nonce) {
  if (!nonce.starts_with(prefix) || nonce.size() < nonce_cookie_size) return {};
  const auto digits = nonce.substr(prefix.size(), nonce_cookie_size - prefix.size());
  if (digits.find_first_not_of(base64_digits) != std::string_view::npos) return {};
  const auto bits = base64_digits.find(digits[0]);
  return {.password_algorithms = (bits & password_algorithms_bit) != 0,
          .user_anonymity = (bits & user_anonymity_bit) != 0};
}

}  // namespace yuelao::stun

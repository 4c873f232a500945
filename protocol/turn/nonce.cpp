#include "protocol/turn/nonce.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>

#include "protocol/stun/credentials.hpp"
#include "protocol/stun/integrity.hpp"

namespace yuelao::turn {
namespace {

constexpr std::size_t time_digits = 8;
constexpr std::size_t mac_bytes = 12;

// Servers that share a key need not agree on the time to the second.
constexpr std::chrono::seconds clock_skew{30};

std::uint32_t seconds_of(WallTime time) {
  return static_cast<std::uint32_t>(time.time_since_epoch().count());
}

std::optional<std::uint32_t> time_in(std::string_view nonce) {
  std::uint32_t made = 0;
  const auto digits = nonce.substr(0, time_digits);
  const char* const end = std::to_address(digits.end());
  const auto [stop, error] = std::from_chars(std::to_address(digits.begin()), end, made, 16);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return made;
}

void append(std::string& text, std::uint32_t value) {
  std::array<std::byte, 4> octets{};
  store_u32(octets, value);
  text += as_text(octets);
}

}  // namespace

NonceSigner::NonceSigner(const Secret& key, std::string_view realm, std::chrono::seconds lifetime)
    : key_{key}, realm_{realm}, lifetime_{lifetime} {}

NonceText NonceSigner::make(const Endpoint& client, WallTime now) const {
  return sign(seconds_of(now), client);
}

bool NonceSigner::valid(std::string_view nonce, const Endpoint& client, WallTime now) const {
  if (nonce.size() != NonceText{}.size()) return false;
  const auto made = time_in(nonce);
  if (!made) return false;
  const auto expected = sign(*made, client);
  const std::string_view text{expected.data(), expected.size()};
  if (!stun::equal_in_constant_time(as_bytes(nonce), as_bytes(text))) return false;
  const WallTime made_at{std::chrono::seconds{*made}};
  return made_at <= now + clock_skew && now < made_at + lifetime_;
}

NonceText NonceSigner::sign(std::uint32_t made, const Endpoint& client) const {
  std::string signed_text;
  append(signed_text, made);
  append(signed_text, client.port);
  signed_text += as_text(std::as_bytes(client.address.octets()));
  signed_text += realm_;
  const auto mac = stun::hmac_sha256(key_.bytes(), as_bytes(signed_text));

  NonceText text{};
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::size_t i = 0; i < time_digits; ++i) {
    text[i] = digits[made >> 4U * (time_digits - 1 - i) & 0xFU];
  }
  std::ranges::copy(stun::base64(Bytes{mac}.first(mac_bytes)), text.begin() + time_digits);
  return text;
}

}  // namespace yuelao::turn

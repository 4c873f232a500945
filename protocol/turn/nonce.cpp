#include "protocol/turn/nonce.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "protocol/stun/integrity.hpp"

namespace yuelao::turn {
namespace {

constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t time_bytes = 3;
constexpr std::size_t time_digits = 4;
constexpr std::size_t mac_bytes = 8;

// Servers that share a key need not agree on the time to the second.
constexpr std::chrono::seconds clock_skew{30};

std::uint32_t seconds_of(WallTime time) {
  return static_cast<std::uint32_t>(time.time_since_epoch().count());
}

void store_u24(MutableBytes at, std::uint32_t value) {
  at[0] = static_cast<std::byte>(value >> 16U & 0xFFU);
  store_u16(at.subspan(1), static_cast<std::uint16_t>(value & 0xFFFFU));
}

// RFC 4648 §4 without padding. Nothing is taken from the heap: every request with
// credentials comes by here.
void write_base64(Bytes octets, std::span<char> text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto bit = i * 6;
    const auto octet = [&](std::size_t at) {
      return at < octets.size() ? std::to_integer<unsigned>(octets[at]) : 0U;
    };
    const auto pair = octet(bit / 8) << 8U | octet(bit / 8 + 1);
    text[i] = base64_digits[pair >> (10 - bit % 8) & 0x3FU];
  }
}

// The latest time that is not after `latest` and whose lower 24 bits stand at the beginning
// of `text`; nothing where that is not base64.
std::optional<std::uint32_t> time_in(std::string_view text, std::uint32_t latest) {
  std::uint32_t bits = 0;
  for (const char digit : text.substr(0, time_digits)) {
    const auto value = base64_digits.find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
  }
  return latest - ((latest - bits) & 0xFFFFFFU);
}

}  // namespace

NonceSigner::NonceSigner(const Secret& key, std::string_view realm, std::chrono::seconds lifetime)
    : key_{std::string{as_text(stun::hmac_sha256(key.bytes(), as_bytes(realm)))}},
      lifetime_{lifetime} {}

NonceText NonceSigner::make(const Endpoint& client, stun::SecurityFeatures features,
                            WallTime now) const {
  return sign(seconds_of(now), features, client);
}

bool NonceSigner::valid(std::string_view nonce, const Endpoint& client, WallTime now) const {
  if (nonce.size() != NonceText{}.size()) return false;
  const auto made = time_in(nonce.substr(stun::nonce_cookie_size), seconds_of(now + clock_skew));
  if (!made) return false;
  const auto expected = sign(*made, stun::security_features_of(nonce), client);
  const std::string_view text{expected.data(), expected.size()};
  if (!stun::equal_in_constant_time(as_bytes(nonce), as_bytes(text))) return false;
  return now < WallTime{std::chrono::seconds{*made}} + lifetime_;
}

// RFC 8489 §9.2.1: whoever changes the features in the cookie makes it a nonce of nobody's.
// The MAC is over all 32 bits of the time, so what comes round again is not good again.
NonceText NonceSigner::sign(std::uint32_t made, stun::SecurityFeatures features,
                            const Endpoint& client) const {
  const auto cookie = stun::nonce_cookie(features);
  NonceText text{};
  const auto rest = std::ranges::copy(cookie, text.begin()).out;

  // Of a fixed size, so that no two nonces have the same octets to be signed. IPv4
  // addresses stand as RFC 4291 §2.5.5.2 maps them.
  std::array<std::byte, stun::nonce_cookie_size + 4 + 2 + 16> signed_octets{};
  const MutableBytes out{signed_octets};
  std::ranges::copy(as_bytes({cookie.data(), cookie.size()}), out.begin());
  store_u32(out.subspan(cookie.size()), made);
  store_u16(out.subspan(cookie.size() + 4), client.port);
  const auto address = std::as_bytes(client.address.octets());
  if (address.size() == 4) store_u16(out.last(6), 0xFFFF);
  std::ranges::copy(address, out.last(address.size()).begin());
  const auto mac = stun::hmac_sha256(key_.bytes(), signed_octets);

  std::array<std::byte, time_bytes + mac_bytes> told{};
  store_u24(told, made);
  std::ranges::copy(Bytes{mac}.first(mac_bytes), told.begin() + time_bytes);
  write_base64(told, {rest, text.end()});
  return text;
}

}  // namespace yuelao::turn

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace yuelao {

// Octets that belong to somebody else. A view lives as long as what it looks at:
// for received data, until the end of the round (ARCHITECTURE.md).
using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Network byte order. The caller has checked that `at` has enough octets.
constexpr std::uint16_t load_u16(Bytes at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(at[0]) << 8U |
                                    std::to_integer<unsigned>(at[1]));
}

constexpr std::uint32_t load_u32(Bytes at) {
  return std::uint32_t{load_u16(at)} << 16U | load_u16(at.subspan(2));
}

constexpr std::uint64_t load_u64(Bytes at) {
  return std::uint64_t{load_u32(at)} << 32U | load_u32(at.subspan(4));
}

constexpr void store_u16(MutableBytes at, std::uint16_t value) {
  at[0] = static_cast<std::byte>(value >> 8U);
  at[1] = static_cast<std::byte>(value & 0xFFU);
}

constexpr void store_u32(MutableBytes at, std::uint32_t value) {
  store_u16(at, static_cast<std::uint16_t>(value >> 16U));
  store_u16(at.subspan(2), static_cast<std::uint16_t>(value & 0xFFFFU));
}

constexpr void store_u64(MutableBytes at, std::uint64_t value) {
  store_u32(at, static_cast<std::uint32_t>(value >> 32U));
  store_u32(at.subspan(4), static_cast<std::uint32_t>(value & 0xFFFFFFFFU));
}

// STUN attributes and ChannelData on a stream fill up to four octets
// (RFC 8489 §14, RFC 8656 §12.5).
constexpr std::size_t padding_to_four(std::size_t size) { return (4 - size % 4) % 4; }

}  // namespace yuelao

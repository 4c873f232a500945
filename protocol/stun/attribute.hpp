#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/bytes.hpp"

namespace yuelao::stun {

// A STUN attribute type (RFC 8489 §14). A strong integer: the wire may hold any.
struct AttributeType {
  std::uint16_t value = 0;
  constexpr bool comprehension_required() const { return value < 0x8000; }
  friend constexpr auto operator<=>(AttributeType, AttributeType) = default;
};

enum class AttributeError : std::uint8_t { missing, malformed };

// How values of T stand in an attribute. A codec is a type with
//   static std::optional<T> decode(Bytes value, Bytes cookie_and_id);
//   static std::size_t size(const T&);                      // octets, unpadded
//   static void encode(const T&, MutableBytes out, Bytes cookie_and_id);
// where `cookie_and_id` is what XOR-ed addresses are XOR-ed with (§14.2), and
// `out` has exactly size() octets, all zero. decode() refuses every size that the
// RFC does not allow and ignores reserved bits; what it returns may view `value`.
template <class T>
struct CodecOf;

// What size() answers for a value that its attribute cannot carry. It is more than
// the 16-bit length field holds, so a writer refuses it as it does what is too big.
inline constexpr std::size_t unencodable = 0x10000;

// A typed attribute constant: attributes.hpp has one line for each of the RFCs'.
template <class T, class Codec_ = CodecOf<T>>
struct Attribute {
  using Value = T;
  using Codec = Codec_;
  AttributeType type;
};

// The value of UNKNOWN-ATTRIBUTES (§14.13), bounded.
struct UnknownAttributes {
  std::array<AttributeType, 16> types{};
  std::size_t count = 0;
  std::span<const AttributeType> list() const { return {types.data(), count}; }
  bool empty() const { return count == 0; }
};

}  // namespace yuelao::stun

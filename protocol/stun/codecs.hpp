#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/stun/attribute.hpp"
#include "protocol/stun/attribute_values.hpp"
#include "protocol/stun/channel_number.hpp"
#include "protocol/stun/error_code.hpp"

// How each kind of value stands on the wire; attribute.hpp says what a codec is.
namespace yuelao::stun {

// The address as it is: RFC 8489 §14.1.
struct PlainAddressCodec {
  static std::optional<Endpoint> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const Endpoint& endpoint);
  static void encode(const Endpoint& endpoint, MutableBytes out, Bytes cookie_and_id);
};

// The address XOR-ed with the cookie and the transaction id: RFC 8489 §14.2.
struct XorAddressCodec {
  static std::optional<Endpoint> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const Endpoint& endpoint);
  static void encode(const Endpoint& endpoint, MutableBytes out, Bytes cookie_and_id);
};

// Text. RFC 8489 sends less than it must be able to read (§14.3, §14.8 to §14.10,
// §14.14), because RFC 5389 counted up to six octets a character. Whether it is
// UTF-8 is for those to check who compare or show it.
template <std::size_t sendable_bytes, std::size_t readable_bytes = sendable_bytes>
struct TextCodec {
  static std::optional<std::string_view> decode(Bytes value, Bytes /*cookie_and_id*/) {
    if (value.size() > readable_bytes) return std::nullopt;
    return as_text(value);
  }
  static std::size_t size(std::string_view text) {
    return text.size() > sendable_bytes ? unencodable : text.size();
  }
  static void encode(std::string_view text, MutableBytes out, Bytes /*cookie_and_id*/) {
    std::ranges::copy(as_bytes(text), out.begin());
  }
};
using ShortText = TextCodec<508, 763>;

// The Protocol field in front of 24 reserved bits: RFC 8656 §18.8.
struct ProtocolCodec {
  static std::optional<std::uint8_t> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const std::uint8_t& protocol);
  static void encode(const std::uint8_t& protocol, MutableBytes out, Bytes cookie_and_id);
};

// RFC 5780 §7.5 has "2 bytes of padding" behind the port and leaves open whether the
// length counts them. Clients send four octets; both are read.
struct ResponsePortCodec {
  static std::optional<std::uint16_t> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const std::uint16_t& port);
  static void encode(const std::uint16_t& port, MutableBytes out, Bytes cookie_and_id);
};

// RFC 8489 §14.6: 16 to 32 octets, a multiple of four.
struct IntegritySha256Codec {
  static std::optional<Bytes> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const Bytes& hmac);
  static void encode(const Bytes& hmac, MutableBytes out, Bytes cookie_and_id);
};

template <>
struct CodecOf<Present> {
  static std::optional<Present> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const Present&) { return 0; }
  static void encode(const Present&, MutableBytes, Bytes) {}
};

// Octets of any number.
template <>
struct CodecOf<Bytes> {
  static std::optional<Bytes> decode(Bytes value, Bytes /*cookie_and_id*/) { return value; }
  static std::size_t size(const Bytes& octets) { return octets.size(); }
  static void encode(const Bytes& octets, MutableBytes out, Bytes /*cookie_and_id*/) {
    std::ranges::copy(octets, out.begin());
  }
};

// Octets of a fixed number, copied.
template <std::size_t count>
struct CodecOf<std::array<std::byte, count>> {
  using Octets = std::array<std::byte, count>;
  static std::optional<Octets> decode(Bytes value, Bytes /*cookie_and_id*/) {
    if (value.size() != count) return std::nullopt;
    Octets octets;
    std::ranges::copy(value, octets.begin());
    return octets;
  }
  static std::size_t size(const Octets&) { return count; }
  static void encode(const Octets& octets, MutableBytes out, Bytes /*cookie_and_id*/) {
    std::ranges::copy(octets, out.begin());
  }
};

template <>
struct CodecOf<std::uint32_t> {
  static std::optional<std::uint32_t> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const std::uint32_t&) { return 4; }
  static void encode(const std::uint32_t& number, MutableBytes out, Bytes cookie_and_id);
};

// 32 bits of seconds (RFC 8656 §18.2). Written, a longer or negative time becomes the
// nearest that fits.
template <>
struct CodecOf<std::chrono::seconds> {
  static std::optional<std::chrono::seconds> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const std::chrono::seconds&) { return 4; }
  static void encode(const std::chrono::seconds& time, MutableBytes out, Bytes cookie_and_id);
};

// RFC 8656 §18.1. A number outside the range is malformed.
template <>
struct CodecOf<ChannelNumber> {
  static std::optional<ChannelNumber> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const ChannelNumber&) { return 4; }
  static void encode(const ChannelNumber& channel, MutableBytes out, Bytes cookie_and_id);
};

// RFC 8656 §18.6. A family that is neither IPv4 nor IPv6 is malformed: ask
// Message::value_of() where it must be told apart (440, RFC 8656 §7.2).
template <>
struct CodecOf<Family> {
  static std::optional<Family> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const Family&) { return 4; }
  static void encode(const Family& family, MutableBytes out, Bytes cookie_and_id);
};

template <>
struct CodecOf<ChangeRequest> {
  static std::optional<ChangeRequest> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const ChangeRequest&) { return 4; }
  static void encode(const ChangeRequest& change, MutableBytes out, Bytes cookie_and_id);
};

template <>
struct CodecOf<EvenPort> {
  static std::optional<EvenPort> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const EvenPort&) { return 1; }
  static void encode(const EvenPort& even_port, MutableBytes out, Bytes cookie_and_id);
};

template <>
struct CodecOf<ErrorCodeValue> {
  static std::optional<ErrorCodeValue> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const ErrorCodeValue& error);
  static void encode(const ErrorCodeValue& error, MutableBytes out, Bytes cookie_and_id);
};

template <>
struct CodecOf<AddressErrorCode> {
  static std::optional<AddressErrorCode> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const AddressErrorCode& error);
  static void encode(const AddressErrorCode& error, MutableBytes out, Bytes cookie_and_id);
};

// RFC 8489 §14.13. Of a list longer than UnknownAttributes holds, its beginning.
template <>
struct CodecOf<UnknownAttributes> {
  static std::optional<UnknownAttributes> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const UnknownAttributes& unknown) { return unknown.count * 2; }
  static void encode(const UnknownAttributes& unknown, MutableBytes out, Bytes cookie_and_id);
};

template <>
struct CodecOf<Icmp> {
  static std::optional<Icmp> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const Icmp&) { return 8; }
  static void encode(const Icmp& icmp, MutableBytes out, Bytes cookie_and_id);
};

template <>
struct CodecOf<PasswordAlgorithm> {
  static std::optional<PasswordAlgorithm> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const PasswordAlgorithm& algorithm);
  static void encode(const PasswordAlgorithm& algorithm, MutableBytes out, Bytes cookie_and_id);
};

template <>
struct CodecOf<PasswordAlgorithms> {
  static std::optional<PasswordAlgorithms> decode(Bytes value, Bytes cookie_and_id);
  static std::size_t size(const PasswordAlgorithms& algorithms);
  static void encode(const PasswordAlgorithms& algorithms, MutableBytes out, Bytes cookie_and_id);
};

}  // namespace yuelao::stun

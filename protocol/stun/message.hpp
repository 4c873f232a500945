#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "protocol/bytes.hpp"
#include "protocol/stun/attribute.hpp"

namespace yuelao::stun {

inline constexpr std::size_t header_bytes = 20;
inline constexpr std::uint32_t magic_cookie = 0x2112A442;  // RFC 8489 §5

// IANA "STUN Methods"; RFC 8489 §18.2, RFC 8656 §17, RFC 6062 §6.1.
enum class Method : std::uint16_t {
  binding = 0x001,
  allocate = 0x003,
  refresh = 0x004,
  send = 0x006,
  data = 0x007,
  create_permission = 0x008,
  channel_bind = 0x009,
  connect = 0x00A,
  connection_bind = 0x00B,
  connection_attempt = 0x00C,
};

// RFC 8489 §5: the C1 C0 bits.
enum class Class : std::uint8_t { request = 0, indication = 1, success = 2, error = 3 };

// Octets 4 to 19 of the header: the magic cookie and the 96-bit transaction id,
// or RFC 3489's 128-bit transaction id. A response carries them back unchanged
// either way, so they are kept together.
class TransactionId {
 public:
  constexpr TransactionId() = default;
  static TransactionId from_random(std::span<const std::byte, 12> random);
  static TransactionId from_header(std::span<const std::byte, 16> cookie_and_id);

  Bytes cookie_and_id() const { return octets_; }  // lives as long as this object
  // True where the magic cookie is absent: an RFC 3489 client.
  bool classic() const;
  friend auto operator<=>(const TransactionId&, const TransactionId&) = default;

 private:
  std::array<std::byte, 16> octets_{};
};

enum class ParseError : std::uint8_t {
  too_short,        // fewer than 20 octets
  not_stun,         // one of the two top bits is set (RFC 8489 §5)
  length_mismatch,  // length field and size disagree, or not a multiple of four
  truncated_attribute,
  bad_fingerprint,  // FINGERPRINT is present and wrong, or not last (§14.7)
};

// A view over a validated message. parse() looks at every attribute once and
// copies nothing; the view, and every Bytes taken from it, lives as long as the
// datagram it was made from.
//
// Attributes behind MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 are ignored as
// RFC 8489 §9 asks, except MESSAGE-INTEGRITY-SHA256 behind MESSAGE-INTEGRITY and
// FINGERPRINT last. Of an attribute that occurs more than once the first counts (§14).
class Message {
 public:
  static std::expected<Message, ParseError> parse(Bytes datagram);

  Method method() const { return method_; }  // may be a value outside the enumerators
  Class message_class() const { return class_; }
  const TransactionId& transaction_id() const { return transaction_id_; }
  Bytes bytes() const { return bytes_; }

  bool has(AttributeType type) const { return value_of(type).has_value(); }
  bool has_fingerprint() const { return fingerprint_at_ != absent; }

  // Errors: missing, malformed (size or content is not what the RFC allows).
  template <class T, class Codec>
  std::expected<T, AttributeError> get(const Attribute<T, Codec>& attribute) const {
    const auto value = value_of(attribute.type);
    if (!value) return std::unexpected{AttributeError::missing};
    auto decoded = Codec::decode(*value, transaction_id_.cookie_and_id());
    if (!decoded) return std::unexpected{AttributeError::malformed};
    return *std::move(decoded);
  }

  // The attribute's undecoded value, without padding.
  std::optional<Bytes> value_of(AttributeType type) const;

  // Calls visit(AttributeType, Bytes value) for each attribute that counts, in order:
  // also those that occur again, the integrity attributes and FINGERPRINT.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (std::size_t at = header_bytes; at < covered_end_;) at = visit_at(at, visit);
    for (const std::size_t at : {integrity_at_, integrity_sha256_at_, fingerprint_at_}) {
      if (at != absent) visit_at(at, visit);
    }
  }

 private:
  // No attribute stands inside the header.
  static constexpr std::uint32_t absent = 0;

  std::expected<void, ParseError> scan_attributes();
  void note(AttributeType type, std::uint32_t at);

  Bytes value_at(std::size_t at) const {
    return bytes_.subspan(at + 4, load_u16(bytes_.subspan(at + 2)));
  }
  template <class Visitor>
  std::size_t visit_at(std::size_t at, Visitor& visit) const {
    const auto value = value_at(at);
    visit(AttributeType{load_u16(bytes_.subspan(at))}, value);
    return at + 4 + value.size() + padding_to_four(value.size());
  }

  Bytes bytes_;
  TransactionId transaction_id_;
  Method method_{};
  Class class_{};
  // Where the attributes end that stand before every integrity attribute and FINGERPRINT.
  std::uint32_t covered_end_ = header_bytes;
  std::uint32_t integrity_at_ = absent;
  std::uint32_t integrity_sha256_at_ = absent;
  std::uint32_t fingerprint_at_ = absent;
};

// The comprehension-required attributes (RFC 8489 §14: types below 0x8000) of
// `message` that are not in `understood`, each once, in order; at most
// `unknown_attribute_limit` of them, for UNKNOWN-ATTRIBUTES (§14.13). The integrity
// attributes are no exception: name those that are verified in `understood`.
inline constexpr std::size_t unknown_attribute_limit = 16;
UnknownAttributes unknown_required(const Message& message,
                                   std::span<const AttributeType> understood);

}  // namespace yuelao::stun

#include "protocol/stun/message.hpp"

#include <algorithm>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/integrity.hpp"

namespace yuelao::stun {
namespace {

// RFC 8489 §5: the class bits C1 and C0 stand between the method's bits.
//   M11 M10 M9 M8 M7 C1 M6 M5 M4 C0 M3 M2 M1 M0
constexpr Method method_of(unsigned type) {
  return static_cast<Method>((type & 0x000FU) | (type & 0x00E0U) >> 1U | (type & 0x3E00U) >> 2U);
}

constexpr Class class_of(unsigned type) {
  return static_cast<Class>((type & 0x0010U) >> 4U | (type & 0x0100U) >> 7U);
}

}  // namespace

TransactionId TransactionId::from_random(std::span<const std::byte, 12> random) {
  TransactionId id;
  store_u32(id.octets_, magic_cookie);
  std::ranges::copy(random, id.octets_.begin() + 4);
  return id;
}

TransactionId TransactionId::from_header(std::span<const std::byte, 16> cookie_and_id) {
  TransactionId id;
  std::ranges::copy(cookie_and_id, id.octets_.begin());
  return id;
}

bool TransactionId::classic() const { return load_u32(octets_) != magic_cookie; }

std::expected<Message, ParseError> Message::parse(Bytes datagram) {
  if (datagram.size() < header_bytes) return std::unexpected{ParseError::too_short};
  const unsigned type = load_u16(datagram);
  if ((type & 0xC000U) != 0) return std::unexpected{ParseError::not_stun};

  const std::size_t length = load_u16(datagram.subspan(2));
  if (length % 4 != 0 || header_bytes + length != datagram.size()) {
    return std::unexpected{ParseError::length_mismatch};
  }

  Message message;
  message.bytes_ = datagram;
  message.transaction_id_ = TransactionId::from_header(datagram.subspan<4, 16>());
  message.method_ = method_of(type);
  message.class_ = class_of(type);
  if (const auto scanned = message.scan_attributes(); !scanned) {
    return std::unexpected{scanned.error()};
  }
  return message;
}

std::expected<void, ParseError> Message::scan_attributes() {
  std::size_t at = header_bytes;
  while (at < bytes_.size()) {
    // A FINGERPRINT with anything behind it is not last (§14.7).
    if (fingerprint_at_ != absent) return std::unexpected{ParseError::bad_fingerprint};
    // The sum of the parts is a multiple of four, so a header of four always fits.
    const std::size_t size = load_u16(bytes_.subspan(at + 2));
    const auto end = at + 4 + size + padding_to_four(size);
    if (end > bytes_.size()) return std::unexpected{ParseError::truncated_attribute};
    note(AttributeType{load_u16(bytes_.subspan(at))}, static_cast<std::uint32_t>(at));
    at = end;
  }
  if (fingerprint_at_ == absent) return {};

  const auto claimed = get(attribute::fingerprint);
  if (!claimed || *claimed != fingerprint(bytes_.first(fingerprint_at_))) {
    return std::unexpected{ParseError::bad_fingerprint};
  }
  return {};
}

// RFC 8489 §9: only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT count behind
// MESSAGE-INTEGRITY, and only FINGERPRINT behind MESSAGE-INTEGRITY-SHA256.
void Message::note(AttributeType type, std::uint32_t at) {
  if (type == attribute::fingerprint.type) {
    fingerprint_at_ = at;
    return;
  }
  const bool is_sha256 = type == attribute::message_integrity_sha256.type;
  if (integrity_sha256_at_ != absent || (integrity_at_ != absent && !is_sha256)) return;
  if (is_sha256) {
    integrity_sha256_at_ = at;
  } else if (type == attribute::message_integrity.type) {
    integrity_at_ = at;
  } else {
    const auto size = value_at(at).size();
    covered_end_ = at + static_cast<std::uint32_t>(4 + size + padding_to_four(size));
  }
}

std::optional<Bytes> Message::value_of(AttributeType type) const {
  const auto known_at = [&]() -> std::optional<std::uint32_t> {
    if (type == attribute::message_integrity.type) return integrity_at_;
    if (type == attribute::message_integrity_sha256.type) return integrity_sha256_at_;
    if (type == attribute::fingerprint.type) return fingerprint_at_;
    return std::nullopt;
  }();
  if (known_at) return *known_at == absent ? std::nullopt : std::optional{value_at(*known_at)};

  for (std::size_t at = header_bytes; at < covered_end_;) {
    const auto value = value_at(at);
    if (load_u16(bytes_.subspan(at)) == type.value) return value;
    at += 4 + value.size() + padding_to_four(value.size());
  }
  return std::nullopt;
}

UnknownAttributes unknown_required(const Message& message,
                                   std::span<const AttributeType> understood) {
  UnknownAttributes unknown;
  message.for_each([&](AttributeType type, Bytes /*value*/) {
    if (!type.comprehension_required() || unknown.count == unknown.types.size()) return;
    const auto contains = [&](std::span<const AttributeType> list) {
      return std::ranges::find(list, type) != list.end();
    };
    if (!contains(understood) && !contains(unknown.list())) unknown.types[unknown.count++] = type;
  });
  return unknown;
}

}  // namespace yuelao::stun

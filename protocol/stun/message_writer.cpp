#include "protocol/stun/message_writer.hpp"

#include <algorithm>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/integrity.hpp"

namespace yuelao::stun {
namespace {

constexpr std::size_t longest_body = 0xFFFC;  // a multiple of four in 16 bits

// RFC 8489 §5; Message::parse() has the way back.
constexpr std::uint16_t message_type(Method method, Class message_class) {
  const auto m = static_cast<unsigned>(method);
  const auto c = static_cast<unsigned>(message_class);
  return static_cast<std::uint16_t>((m & 0x000FU) | (m & 0x0070U) << 1U | (m & 0x0F80U) << 2U |
                                    (c & 1U) << 4U | (c & 2U) << 7U);
}

}  // namespace

MessageWriter::MessageWriter(MutableBytes out, Method method, Class message_class,
                             const TransactionId& id)
    : out_{out}, id_{id}, overflowed_{out.size() < header_bytes} {
  if (overflowed_) return;
  store_u16(out_, message_type(method, message_class));
  store_u16(out_.subspan(2), 0);
  std::ranges::copy(id_.cookie_and_id(), out_.begin() + 4);
}

// The header's length is kept right with every attribute, so that an HMAC or CRC
// over what is written so far sees it end behind its own attribute (RFC 8489 §14.5
// to §14.7).
MutableBytes MessageWriter::open(AttributeType type, std::size_t value_size) {
  const auto end = size_ + 4 + value_size + padding_to_four(value_size);
  overflowed_ |=
      value_size > longest_body || end > out_.size() || end - header_bytes > longest_body;
  if (overflowed_) return {};

  store_u16(out_.subspan(size_), type.value);
  store_u16(out_.subspan(size_ + 2), static_cast<std::uint16_t>(value_size));
  std::ranges::fill(out_.subspan(size_ + 4, end - size_ - 4), std::byte{0});
  const auto value = out_.subspan(size_ + 4, value_size);
  size_ = end;
  store_u16(out_.subspan(2), static_cast<std::uint16_t>(size_ - header_bytes));
  return value;
}

MessageWriter& MessageWriter::add_zeros(AttributeType type, std::size_t count) {
  open(type, count);
  return *this;
}

MessageWriter& MessageWriter::add_integrity(Bytes key) {
  const auto covered = out_.first(std::min(size_, out_.size()));
  const auto value = open(attribute::message_integrity.type, 20);
  if (!value.empty()) std::ranges::copy(hmac_sha1(key, covered), value.begin());
  return *this;
}

MessageWriter& MessageWriter::add_integrity_sha256(Bytes key, std::size_t size) {
  const bool allowed = size >= 16 && size <= 32 && size % 4 == 0;
  const auto covered = out_.first(std::min(size_, out_.size()));
  const auto value = open(attribute::message_integrity_sha256.type, allowed ? size : unencodable);
  if (value.empty()) return *this;
  const auto hmac = hmac_sha256(key, covered);
  std::ranges::copy(Bytes{hmac}.first(size), value.begin());
  return *this;
}

MessageWriter& MessageWriter::add_fingerprint() {
  const auto covered = out_.first(std::min(size_, out_.size()));
  const auto value = open(attribute::fingerprint.type, 4);
  if (!value.empty()) store_u32(value, fingerprint(covered));
  return *this;
}

Bytes MessageWriter::finish() { return overflowed_ ? Bytes{} : Bytes{out_.first(size_)}; }

}  // namespace yuelao::stun

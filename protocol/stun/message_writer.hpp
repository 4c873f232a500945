#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "protocol/bytes.hpp"
#include "protocol/stun/attribute.hpp"
#include "protocol/stun/message.hpp"

namespace yuelao::stun {

// Composes one message in a span of the caller's. Attributes stand in the order
// of the calls; add the integrity after everything it covers and the fingerprint
// last. When the span is too small, or a value is not one that its attribute may
// carry, the writer stops, and finish() is empty. Padding octets are zero.
class MessageWriter {
 public:
  MessageWriter(MutableBytes out, Method method, Class message_class, const TransactionId& id);

  template <class T, class Codec>
  MessageWriter& add(const Attribute<T, Codec>& attribute, const std::type_identity_t<T>& value) {
    const auto at = open(attribute.type, Codec::size(value));
    if (!at.empty()) Codec::encode(value, at, id_.cookie_and_id());
    return *this;
  }

  // An attribute whose value is so many zero octets.
  MessageWriter& add_zeros(AttributeType type, std::size_t count);

  // RFC 8489 §14.5: HMAC-SHA1.
  MessageWriter& add_integrity(Bytes key);
  // RFC 8489 §14.6: HMAC-SHA256, truncated to `size` octets (16 to 32, a multiple of 4;
  // any other size is not written).
  MessageWriter& add_integrity_sha256(Bytes key, std::size_t size = 32);
  // RFC 8489 §14.7.
  MessageWriter& add_fingerprint();

  // Octets so far, of a message that fits.
  std::size_t size() const { return size_; }

  // The composed message, inside the caller's span; empty if it did not fit.
  Bytes finish();

 private:
  // The place of the new attribute's value, zeroed; empty when it does not fit.
  MutableBytes open(AttributeType type, std::size_t value_size);

  MutableBytes out_;
  TransactionId id_;
  std::size_t size_ = header_bytes;
  bool overflowed_ = false;
};

}  // namespace yuelao::stun

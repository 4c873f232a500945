#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "fuzz/promise.hpp"
#include "fuzz/stun_mutator.hpp"
#include "protocol/stun/integrity.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/stun/message_writer.hpp"
#include "tests/support/every_attribute.hpp"

// Reads whatever arrives as a STUN message and checks what message.hpp and
// message_writer.hpp promise about it.
namespace yuelao::stun {
namespace {

using fuzz::promise;

const auto key = fuzz::mutator_key;

bool inside(Bytes view, Bytes datagram) {
  constexpr std::less_equal<const std::byte*> before;
  return before(datagram.data(), view.data()) &&
         before(view.data() + view.size(), datagram.data() + datagram.size());
}

bool integrity_or_fingerprint(AttributeType type) {
  return type == attribute::message_integrity.type ||
         type == attribute::message_integrity_sha256.type || type == attribute::fingerprint.type;
}

template <class T, class Codec>
std::vector<std::byte> octets_of(const Attribute<T, Codec>& /*attribute*/, const T& value,
                                 const Message& message) {
  std::vector<std::byte> octets(Codec::size(value));
  if (!octets.empty()) Codec::encode(value, octets, message.transaction_id().cookie_and_id());
  return octets;
}

void check_views(const Message& message) {
  std::size_t count = 0;
  message.for_each([&](AttributeType type, Bytes value) {
    ++count;
    promise(inside(value, message.bytes()), "a value is inside the datagram");
    promise(message.has(type), "has() knows what for_each() visits");
    promise(inside(*message.value_of(type), message.bytes()), "so is what value_of() gives");
    promise(message.value_of(type)->data() <= value.data(), "value_of() gives the first");
  });
  promise(count <= message.bytes().size() / 4, "no octet is visited twice");
}

void check_unknown(const Message& message) {
  constexpr std::array understood{attribute::username.type, attribute::message_integrity.type};
  const auto unknown = unknown_required(message, understood);
  promise(unknown.count <= unknown_attribute_limit, "unknown attributes are bounded");
  for (const auto type : unknown.list()) {
    promise(type.comprehension_required() && message.has(type), "each is there and required");
    promise(std::ranges::count(unknown.list(), type) == 1, "each is listed once");
    promise(std::ranges::count(understood, type) == 0, "none of them is understood");
  }
}

void check_views_of(const Bytes& view, const Message& message) {
  promise(view.empty() || inside(view, message.bytes()), "a decoded view is inside the datagram");
}
void check_views_of(const std::string_view& view, const Message& message) {
  check_views_of(as_bytes(view), message);
}
void check_views_of(const ErrorCodeValue& error, const Message& message) {
  promise(error.code >= 300 && error.code <= 699, "an error code is 300 to 699");
  check_views_of(error.reason, message);
}
void check_views_of(const AddressErrorCode& error, const Message& message) {
  check_views_of(ErrorCodeValue{error.code, error.reason}, message);
}
void check_views_of(const PasswordAlgorithm& algorithm, const Message& message) {
  check_views_of(algorithm.parameters, message);
}
void check_views_of(const PasswordAlgorithms& algorithms, const Message& message) {
  for (const auto& algorithm : algorithms.list()) check_views_of(algorithm, message);
}
template <class T>
void check_views_of(const T& /*plain value*/, const Message& /*message*/) {}

// Writes every attribute that could be read, signed; then it reads as the same.
void check_rewritten(const Message& message) {
  // Every constant at most once, so no more than was read and what the signature adds.
  std::vector<std::byte> buffer(message.bytes().size() + 512);
  MessageWriter writer{buffer, message.method(), message.message_class(), message.transaction_id()};
  test::for_every_attribute(
      [&]<class T, class Codec>(std::string_view, const Attribute<T, Codec>& attribute) {
        const auto value = message.get(attribute);
        if (!value) return;
        check_views_of(*value, message);
        if (integrity_or_fingerprint(attribute.type) || Codec::size(*value) == unencodable) return;
        writer.add(attribute, *value);
      });
  const auto written =
      writer.add_integrity(key).add_integrity_sha256(key).add_fingerprint().finish();
  promise(!written.empty(), "what was read can be written");

  const auto reread = Message::parse(written);
  promise(reread.has_value(), "what was written can be read");
  promise(reread->method() == message.method(), "the method stays");
  promise(reread->message_class() == message.message_class(), "the class stays");
  promise(reread->transaction_id() == message.transaction_id(), "the transaction id stays");
  promise(verify_integrity(*reread, key) == Integrity::valid, "the signature verifies");
  promise(verify_integrity_sha256(*reread, key) == Integrity::valid, "so does the SHA-256 one");
  promise(reread->has_fingerprint(), "the fingerprint is there");

  test::for_every_attribute(
      [&]<class T, class Codec>(std::string_view, const Attribute<T, Codec>& attribute) {
        if (integrity_or_fingerprint(attribute.type)) return;
        const auto value = message.get(attribute);
        const auto again = reread->get(attribute);
        const bool sendable = value && Codec::size(*value) != unencodable;
        promise(again.has_value() == sendable, "each attribute is read again, and no other");
        if (!sendable) return;
        promise(octets_of(attribute, *value, message) == octets_of(attribute, *again, message),
                "an attribute's value stays");
      });
}

// Up to where the message is signed, and as long as it says. Empty: it is not signed.
std::vector<std::byte> signed_part(const Message& message) {
  auto value = message.value_of(attribute::message_integrity_sha256.type);
  if (!value) value = message.value_of(attribute::message_integrity.type);
  if (!value) return {};
  const auto end = static_cast<std::size_t>(value->data() - message.bytes().data()) + value->size();
  const auto part = message.bytes().first(end + padding_to_four(value->size()));
  std::vector<std::byte> octets{part.begin(), part.end()};
  store_u16(MutableBytes{octets}.subspan(2),
            static_cast<std::uint16_t>(part.size() - header_bytes));
  return octets;
}

// RFC 8489 §9: what stands behind a signature is as if it were not there, FINGERPRINT aside.
void check_behind_signature(const Message& message, Bytes part) {
  const auto alone = Message::parse(part);
  promise(alone.has_value(), "a message may end with its signature");
  promise(verify_integrity(*alone, key) == verify_integrity(message, key) &&
              verify_integrity_sha256(*alone, key) == verify_integrity_sha256(message, key),
          "a signature does not cover what is behind it");
  test::for_every_attribute([&]<class T, class Codec>(std::string_view,
                                                      const Attribute<T, Codec>& attribute) {
    if (attribute.type == attribute::fingerprint.type) return;
    const auto here = message.value_of(attribute.type);
    const auto there = alone->value_of(attribute.type);
    promise(here.has_value() == there.has_value() && (!here || std::ranges::equal(*here, *there)),
            "what is behind a signature counts for nothing");
  });
}

// A bit of the transaction id, which every signature covers.
void check_forged(const Message& message, std::vector<std::byte> part) {
  part[header_bytes - 1] ^= std::byte{1};
  const auto forged = Message::parse(part);
  if (!forged) return;
  promise(verify_integrity(*forged, key) != Integrity::valid ||
              verify_integrity(message, key) != Integrity::valid,
          "a changed message is not valid");
  promise(verify_integrity_sha256(*forged, key, 16) != Integrity::valid ||
              verify_integrity_sha256(message, key, 16) != Integrity::valid,
          "a changed message is not valid by SHA-256");
}

void check_integrity(const Message& message) {
  const auto strict = verify_integrity_sha256(message, key);
  const auto lenient = verify_integrity_sha256(message, key, 16);
  promise(strict == lenient || strict == Integrity::malformed, "a short HMAC is malformed");
  const auto part = signed_part(message);
  if (part.empty()) return;
  check_behind_signature(message, part);
  check_forged(message, part);
}

}  // namespace

void check(Bytes datagram) {
  const auto message = Message::parse(datagram);
  if (!message) return;
  promise(message->bytes().data() == datagram.data(), "the message is a view");
  check_views(*message);
  check_unknown(*message);
  check_integrity(*message);
  check_rewritten(*message);
}

}  // namespace yuelao::stun

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return yuelao::fuzz::mutate_stun({data, max_size}, size, seed);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* one, std::size_t one_size,
                                                 const std::uint8_t* other, std::size_t other_size,
                                                 std::uint8_t* out, std::size_t max_size,
                                                 unsigned seed) {
  return yuelao::fuzz::cross_stun(std::as_bytes(std::span{one, one_size}),
                                  std::as_bytes(std::span{other, other_size}), {out, max_size},
                                  seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  yuelao::stun::check(std::as_bytes(std::span{data, size}));
  return 0;
}

#include "protocol/stun/message.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/integrity.hpp"
#include "protocol/stun/message_writer.hpp"
#include "tests/support/hex.hpp"

namespace yuelao::stun::message_test {
namespace {

const std::string cookie_and_id = " 2112a442 00000000 00000000 00000001 ";

std::vector<AttributeType> types_of(const Message& message) {
  std::vector<AttributeType> types;
  message.for_each([&](AttributeType type, Bytes /*value*/) { types.push_back(type); });
  return types;
}

// HMACs of zeros: what counts here is where they stand.
const std::string integrity = "0008 0014" + std::string(40, '0');
const std::string integrity_sha256 = "001c 0010" + std::string(32, '0');
constexpr const char* lifetime_7 = "000d 0004 00000007";
constexpr const char* lifetime_9 = "000d 0004 00000009";

std::vector<std::byte> with_attributes(const std::string& hex) {
  auto octets = test::from_hex("0001 0000" + cookie_and_id + hex);
  store_u16(MutableBytes{octets}.subspan(2),
            static_cast<std::uint16_t>(octets.size() - header_bytes));
  return octets;
}

}  // namespace

TEST_CASE("what is not one whole STUN message is refused") {  // RFC 8489 §5
  struct Row {
    const char* what;
    std::string hex;
    ParseError error;
  };
  const std::array rows{
      Row{"nothing", "", ParseError::too_short},
      Row{"19 octets", "0001 0000 2112a442 00000000 00000000 000000", ParseError::too_short},
      Row{"first bit set", "8001 0000" + cookie_and_id, ParseError::not_stun},
      Row{"second bit set", "4001 0000" + cookie_and_id, ParseError::not_stun},
      Row{"length too large", "0001 0004" + cookie_and_id, ParseError::length_mismatch},
      Row{"octets behind the message", "0001 0000" + cookie_and_id + "00000000",
          ParseError::length_mismatch},
      Row{"length not a multiple of four", "0001 0006" + cookie_and_id + "0013 0002 0000",
          ParseError::length_mismatch},
      Row{"value longer than the message", "0001 0008" + cookie_and_id + "0013 0005 00000000",
          ParseError::truncated_attribute},
      Row{"only the header of a value", "0001 0004" + cookie_and_id + "0013 0001",
          ParseError::truncated_attribute},
      Row{"longest length", "0001 0004" + cookie_and_id + "0013 ffff",
          ParseError::truncated_attribute},
      Row{"truncated behind the integrity", "0001 001c" + cookie_and_id + integrity + "0013 0004",
          ParseError::truncated_attribute},
      Row{"wrong FINGERPRINT", "0001 0008" + cookie_and_id + "8028 0004 00000000",
          ParseError::bad_fingerprint},
      Row{"FINGERPRINT of another size", "0001 0004" + cookie_and_id + "8028 0000",
          ParseError::bad_fingerprint},
      Row{"FINGERPRINT not last", "0001 0010" + cookie_and_id + "8028 0004 00000000" + lifetime_7,
          ParseError::bad_fingerprint},
  };
  for (const auto& [what, hex, error] : rows) {
    CAPTURE(what);
    const auto octets = test::from_hex(hex);
    const auto message = Message::parse(octets);
    REQUIRE_FALSE(message);
    CHECK(message.error() == error);
  }
}

TEST_CASE("a right FINGERPRINT is refused when anything follows it") {  // RFC 8489 §14.7
  auto octets = with_attributes("8028 0004 00000000" + std::string{lifetime_7});
  const auto crc = fingerprint(Bytes{octets}.first(header_bytes));
  store_u32(MutableBytes{octets}.subspan(header_bytes + 4), crc);
  CHECK(Message::parse(octets).error() == ParseError::bad_fingerprint);
}

TEST_CASE("the message type holds class and method between each other's bits") {  // RFC 8489 §5
  struct Row {
    const char *what, *type;
    Method method;
    Class message_class;
  };
  constexpr std::array rows{
      Row{"Binding request", "0001", Method::binding, Class::request},
      Row{"Binding indication", "0011", Method::binding, Class::indication},
      Row{"Binding success response", "0101", Method::binding, Class::success},
      Row{"Binding error response", "0111", Method::binding, Class::error},
      Row{"Allocate error response", "0113", Method::allocate, Class::error},
      Row{"Send indication", "0016", Method::send, Class::indication},
      Row{"Data indication", "0017", Method::data, Class::indication},
      Row{"ChannelBind success response", "0109", Method::channel_bind, Class::success},
      Row{"every method bit", "3eef", Method{0xFFF}, Class::request},
      Row{"bits on both sides", "2051", Method{0x821}, Class::indication},
  };
  for (const auto& [what, type, method, message_class] : rows) {
    CAPTURE(what);
    const auto octets = test::from_hex(std::string{type} + "0000" + cookie_and_id);
    const auto message = Message::parse(octets);
    REQUIRE(message);
    CHECK(message->method() == method);
    CHECK(message->message_class() == message_class);
  }
}

TEST_CASE("every method and class is read as it was written") {
  std::array<std::byte, header_bytes> buffer;
  for (std::uint16_t method = 0; method <= 0xFFF; ++method) {
    for (const auto message_class :
         {Class::request, Class::indication, Class::success, Class::error}) {
      MessageWriter writer{buffer, Method{method}, message_class, {}};
      const auto message = Message::parse(writer.finish());
      REQUIRE(message);
      REQUIRE(message->method() == Method{method});
      REQUIRE(message->message_class() == message_class);
    }
  }
}

TEST_CASE("a classic message has no cookie and keeps its 128-bit id") {  // RFC 3489 §11.1
  const auto octets = test::from_hex(
      "0001 0008 00010203 04050607 08090a0b 0c0d0e0f"
      "0003 0004 00000006");
  const auto message = Message::parse(octets);
  REQUIRE(message);
  CHECK(message->transaction_id().classic());
  CHECK(message->get(attribute::change_request) == ChangeRequest{true, true});
  std::array<std::byte, header_bytes> buffer;
  const auto reply =
      MessageWriter{buffer, Method::binding, Class::success, message->transaction_id()}.finish();
  CHECK(std::ranges::equal(reply.subspan(4), Bytes{octets}.subspan(4, 16)));
}

TEST_CASE("a transaction id from random octets has the cookie before them") {
  std::array<std::byte, 12> random;
  random.fill(std::byte{0xAB});
  const auto id = TransactionId::from_random(random);
  CHECK_FALSE(id.classic());
  CHECK(load_u32(id.cookie_and_id()) == magic_cookie);
  CHECK(std::ranges::equal(id.cookie_and_id().subspan(4), random));
}

TEST_CASE("the first of several equal attributes counts") {  // RFC 8489 §14
  const auto octets = with_attributes(std::string{lifetime_7} + lifetime_9);
  const auto message = Message::parse(octets);
  REQUIRE(message);
  CHECK(message->get(attribute::lifetime) == std::chrono::seconds{7});
  CHECK(types_of(*message).size() == 2);
}

TEST_CASE("padding may hold anything and is no part of the value") {  // RFC 8489 §14
  const auto octets = with_attributes("0013 0001 78ffffff" + std::string{lifetime_7});
  const auto message = Message::parse(octets);
  REQUIRE(message);
  CHECK(as_text(*message->value_of(attribute::data.type)) == "x");
  CHECK(message->get(attribute::lifetime) == std::chrono::seconds{7});
}

TEST_CASE("a missing attribute and a malformed one are told apart") {
  const auto octets = with_attributes("000d 0002 00070000");
  const auto message = Message::parse(octets);
  REQUIRE(message);
  CHECK(message->get(attribute::lifetime).error() == AttributeError::malformed);
  CHECK(message->get(attribute::nonce).error() == AttributeError::missing);
  CHECK(message->has(attribute::lifetime.type));
  CHECK_FALSE(message->has(attribute::nonce.type));
}

TEST_CASE("only integrity and FINGERPRINT count behind an integrity attribute") {  // RFC 8489 §9
  struct Row {
    const char* what;
    std::string hex;
    std::vector<std::uint16_t> counts;
  };
  const std::array rows{
      Row{"ignored behind MESSAGE-INTEGRITY", integrity + lifetime_7, {0x0008}},
      Row{"ignored behind MESSAGE-INTEGRITY-SHA256", integrity_sha256 + lifetime_7, {0x001C}},
      Row{"SHA256 counts behind MESSAGE-INTEGRITY",
          lifetime_7 + integrity + integrity_sha256,
          {0x000D, 0x0008, 0x001C}},
      Row{"also where an ignored one stands between",
          integrity + lifetime_7 + integrity_sha256 + lifetime_9,
          {0x0008, 0x001C}},
      Row{"MESSAGE-INTEGRITY does not count behind SHA256", integrity_sha256 + integrity, {0x001C}},
      Row{"the first of two counts", integrity + integrity, {0x0008}},
  };
  for (const auto& [what, hex, counts] : rows) {
    CAPTURE(what);
    const auto octets = with_attributes(hex);
    const auto message = Message::parse(octets);
    REQUIRE(message);
    CHECK(std::ranges::equal(types_of(*message), counts, {}, &AttributeType::value));
    for (const auto type : {attribute::lifetime.type, attribute::message_integrity.type,
                            attribute::message_integrity_sha256.type}) {
      CHECK(message->has(type) == (std::ranges::count(counts, type.value) > 0));
    }
  }
}

TEST_CASE("FINGERPRINT counts behind the integrity attributes") {
  std::array<std::byte, 128> buffer;
  const auto written = MessageWriter{buffer, Method::binding, Class::request, {}}
                           .add_integrity(as_bytes("key"))
                           .add(attribute::lifetime, std::chrono::seconds{7})
                           .add_integrity_sha256(as_bytes("key"))
                           .add_fingerprint()
                           .finish();
  const auto message = Message::parse(written);
  REQUIRE(message);
  CHECK(message->has_fingerprint());
  CHECK(types_of(*message).size() == 3);
  CHECK_FALSE(message->has(attribute::lifetime.type));
}

TEST_CASE("unknown attributes are those one must understand and does not") {  // RFC 8489 §6.3
  const auto octets = with_attributes(
      "7fff 0000  0006 0000  7ffe 0000  7fff 0000  8000 0000  0000 0000" + integrity + "7ffd 0000");
  const auto message = Message::parse(octets);
  REQUIRE(message);
  constexpr std::array understood{attribute::username.type, attribute::message_integrity.type};
  const auto unknown = unknown_required(*message, understood);
  constexpr std::array<std::uint16_t, 3> expected{0x7FFF, 0x7FFE, 0x0000};
  CHECK(std::ranges::equal(unknown.list(), expected, {}, &AttributeType::value));

  CHECK(unknown_required(*message, {}).list().back() == attribute::message_integrity.type);
}

TEST_CASE("unknown attributes are listed up to a limit") {
  std::string hex;
  for (int i = 10; i < 40; ++i) hex += "70" + std::to_string(i) + "0000";
  const auto octets = with_attributes(hex);
  const auto unknown = unknown_required(*Message::parse(octets), {});
  CHECK(unknown.count == unknown_attribute_limit);
  CHECK(unknown.types.back() == AttributeType{0x7025});
}

}  // namespace yuelao::stun::message_test

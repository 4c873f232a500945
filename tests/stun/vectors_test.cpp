#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/integrity.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/stun/message_writer.hpp"
#include "tests/support/hex.hpp"

namespace yuelao::stun::vectors_test {
namespace {

constexpr std::string_view short_term_password = "VOkJxbRl1RmTxUk/WvJxBt";
constexpr std::string_view matrix = "\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9";

}  // namespace

TEST_CASE("RFC 5769 §2.1: the sample request") {
  const auto octets = test::vector_file("rfc5769_2_1_request.hex");
  const auto message = Message::parse(octets);
  REQUIRE(message);
  CHECK(message->method() == Method::binding);
  CHECK(message->message_class() == Class::request);
  CHECK_FALSE(message->transaction_id().classic());
  CHECK(message->get(attribute::software) == "STUN test client");
  CHECK(message->get(attribute::username) == "evtj:h6vY");
  CHECK(message->has(AttributeType{0x0024}));
  CHECK(message->has(AttributeType{0x8029}));
  CHECK(message->has_fingerprint());
  CHECK(verify_integrity(*message, as_bytes(short_term_password)) == Integrity::valid);
  CHECK(verify_integrity(*message, as_bytes("another password")) == Integrity::wrong);
}

TEST_CASE("RFC 5769 §2.2 and §2.3: the sample responses") {
  struct Row {
    const char *what, *file, *address;
  };
  constexpr std::array rows{
      Row{"IPv4", "rfc5769_2_2_response_ipv4.hex", "192.0.2.1:32853"},
      Row{"IPv6", "rfc5769_2_3_response_ipv6.hex", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"},
  };
  for (const auto& [what, file, address] : rows) {
    CAPTURE(what);
    const auto mapped = *Endpoint::parse(address);
    const auto octets = test::vector_file(file);
    const auto message = Message::parse(octets);
    REQUIRE(message);
    CHECK(message->message_class() == Class::success);
    CHECK(message->get(attribute::software) == "test vector");
    CHECK(message->get(attribute::xor_mapped_address) == mapped);
    CHECK(verify_integrity(*message, as_bytes(short_term_password)) == Integrity::valid);

    // The writer pads with zeros where the vector has spaces, so the HMAC differs.
    std::array<std::byte, 128> buffer;
    const auto written =
        MessageWriter{buffer, Method::binding, Class::success, message->transaction_id()}
            .add(attribute::software, "test vector")
            .add(attribute::xor_mapped_address, mapped)
            .add_integrity(as_bytes(short_term_password))
            .add_fingerprint()
            .finish();
    CHECK(written.size() == octets.size());
    const auto up_to_padding = header_bytes + 4 + 11;
    CHECK(std::ranges::equal(written.first(up_to_padding), Bytes{octets}.first(up_to_padding)));
    const auto reread = Message::parse(written);
    REQUIRE(reread);
    CHECK(reread->get(attribute::xor_mapped_address) == mapped);
    CHECK(verify_integrity(*reread, as_bytes(short_term_password)) == Integrity::valid);
  }
}

TEST_CASE("RFC 5769 §2.4: the sample request with long-term authentication") {
  const auto octets = test::vector_file("rfc5769_2_4_request_long_term.hex");
  const auto message = Message::parse(octets);
  REQUIRE(message);
  CHECK(message->get(attribute::username) == matrix);
  CHECK(message->get(attribute::nonce) == "f//499k954d6OL34oL9FSTvy64sA");
  CHECK(message->get(attribute::realm) == "example.org");
  CHECK_FALSE(message->has_fingerprint());
  const auto key = long_term_key(matrix, "example.org", "TheMatrIX");
  CHECK(verify_integrity(*message, key) == Integrity::valid);

  // Its padding is zero: the writer makes the very same octets.
  std::array<std::byte, 116> buffer;
  const auto written =
      MessageWriter{buffer, Method::binding, Class::request, message->transaction_id()}
          .add(attribute::username, matrix)
          .add(attribute::nonce, "f//499k954d6OL34oL9FSTvy64sA")
          .add(attribute::realm, "example.org")
          .add_integrity(key)
          .finish();
  CHECK(std::ranges::equal(written, octets));
}

TEST_CASE("RFC 8489 appendix B.1: the sample request with MESSAGE-INTEGRITY-SHA256") {
  auto octets = test::vector_file("rfc8489_b_1_request_sha256.hex");
  const auto key = long_term_key_sha256(matrix, "example.org", "TheMatrIX");

  // As printed its length is 20 too large, and a message of a false length is refused.
  CHECK(Message::parse(octets).error() == ParseError::length_mismatch);
  // Its HMAC was taken with that length.
  const auto hmac = hmac_sha256(key, Bytes{octets}.first(octets.size() - 36));
  CHECK(equal_in_constant_time(hmac, Bytes{octets}.last(32)));

  store_u16(MutableBytes{octets}.subspan(2), static_cast<std::uint16_t>(octets.size() - 20));
  const auto message = Message::parse(octets);
  REQUIRE(message);
  CHECK(message->get(attribute::userhash) == user_hash(matrix, "example.org"));
  CHECK(message->get(attribute::nonce) == "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA");
  CHECK(message->get(attribute::realm) == "example.org");
  CHECK(verify_integrity_sha256(*message, key) == Integrity::wrong);

  std::array<std::byte, 156> buffer;
  const auto written =
      MessageWriter{buffer, Method::binding, Class::request, message->transaction_id()}
          .add(attribute::userhash, user_hash(matrix, "example.org"))
          .add(attribute::nonce, "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA")
          .add(attribute::realm, "example.org")
          .add_integrity_sha256(key)
          .finish();
  REQUIRE(written.size() == octets.size());
  const auto before_hmac = octets.size() - 32;
  CHECK(std::ranges::equal(written.first(before_hmac), Bytes{octets}.first(before_hmac)));
  CHECK(verify_integrity_sha256(*Message::parse(written), key) == Integrity::valid);
}

}  // namespace yuelao::stun::vectors_test

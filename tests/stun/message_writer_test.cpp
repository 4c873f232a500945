#include "protocol/stun/message_writer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/integrity.hpp"
#include "tests/support/hex.hpp"

namespace yuelao::stun::message_writer_test {
namespace {

constexpr auto canary = std::byte{0xC5};

// A message with one attribute of each kind, written into `size` octets of a longer
// buffer; the octets behind them must stay as they are.
std::size_t written_into(std::size_t size) {
  std::vector<std::byte> buffer(256, canary);
  MessageWriter writer{MutableBytes{buffer}.first(size), Method::allocate, Class::success, {}};
  const auto written = writer.add(attribute::xor_relayed_address, Endpoint{})
                           .add(attribute::dont_fragment, {})
                           .add(attribute::software, "yuelao")
                           .add_integrity(as_bytes("key"))
                           .add_integrity_sha256(as_bytes("key"))
                           .add_fingerprint()
                           .finish();
  const auto behind = Bytes{buffer}.subspan(size);
  CHECK(std::ranges::count(behind, canary) == static_cast<std::ptrdiff_t>(behind.size()));
  return written.size();
}

}  // namespace

TEST_CASE("a message that does not fit is not written, and nothing behind its span is") {
  constexpr std::size_t whole = 20 + 12 + 4 + 12 + 24 + 36 + 8;
  CHECK(written_into(whole) == whole);
  CHECK(written_into(whole + 7) == whole);
  for (std::size_t size = 0; size < whole; ++size) {
    CAPTURE(size);
    CHECK(written_into(size) == 0);
  }
}

TEST_CASE("what fits behind something that did not is not written either") {
  std::array<std::byte, 32> buffer;
  MessageWriter writer{buffer, Method::binding, Class::request, {}};
  writer.add(attribute::data, as_bytes("more than eight octets"));
  CHECK(writer.add(attribute::lifetime, std::chrono::seconds{1}).finish().empty());
}

TEST_CASE("padding is zero whatever the buffer held") {  // RFC 8489 §14
  std::vector<std::byte> buffer(64, canary);
  const auto written = MessageWriter{buffer, Method::data, Class::indication, {}}
                           .add(attribute::data, as_bytes("x"))
                           .add(attribute::requested_transport, 17)
                           .finish();
  const auto expected = test::from_hex("0013 0001 78000000 0019 0004 11000000");
  CHECK(std::ranges::equal(written.subspan(header_bytes), expected));
}

TEST_CASE("an attribute of zeros is as long as is said, and the size is known meanwhile") {
  std::vector<std::byte> buffer(64, canary);
  MessageWriter writer{buffer, Method::binding, Class::success, {}};
  CHECK(writer.size() == header_bytes);
  writer.add_zeros(attribute::padding.type, 5);
  CHECK(writer.size() == header_bytes + 12);
  const auto expected = test::from_hex("0026 0005 00000000 00000000");
  CHECK(std::ranges::equal(writer.finish().subspan(header_bytes), expected));
  CHECK(writer.add_zeros(attribute::padding.type, 29).finish().empty());
}

TEST_CASE("a message is never longer than its length field can say") {
  std::vector<std::byte> buffer(70'000);
  const std::vector<std::byte> payload(65'532);
  const auto written = [&](std::size_t size) {
    return MessageWriter{buffer, Method::data, Class::indication, {}}
        .add(attribute::data, Bytes{payload}.first(size))
        .finish()
        .size();
  };
  CHECK(written(65'528) == 20 + 65'532);
  CHECK(written(65'529) == 0);
  CHECK(written(65'532) == 0);
}

TEST_CASE("MESSAGE-INTEGRITY-SHA256 is 16 to 32 octets in steps of four") {  // RFC 8489 §14.6
  for (std::size_t size = 0; size <= 64; ++size) {
    CAPTURE(size);
    std::array<std::byte, 256> buffer;
    const auto written = MessageWriter{buffer, Method::binding, Class::request, {}}
                             .add_integrity_sha256(as_bytes("key"), size)
                             .finish();
    const bool allowed = size >= 16 && size <= 32 && size % 4 == 0;
    CHECK(written.size() == (allowed ? 20 + 4 + size : 0));
  }
}

}  // namespace yuelao::stun::message_writer_test

#include "protocol/stun/integrity.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"
#include "tests/support/hex.hpp"

namespace yuelao::stun::integrity_test {
namespace {

const auto key = as_bytes("key");

struct Written {
  std::vector<std::byte> octets;
  Message message() const { return *Message::parse(octets); }
};

enum class With { integrity, sha256, both };

Written request(With with, std::size_t sha256_size = 32) {
  std::array<std::byte, 256> buffer;
  MessageWriter writer{buffer, Method::refresh, Class::request, {}};
  writer.add(attribute::username, "user").add(attribute::lifetime, std::chrono::seconds{600});
  if (with != With::sha256) writer.add_integrity(key);
  if (with != With::integrity) writer.add_integrity_sha256(key, sha256_size);
  const auto octets = writer.add_fingerprint().finish();
  return {{octets.begin(), octets.end()}};
}

}  // namespace

TEST_CASE("HMACs are the published ones") {
  // RFC 2202 §3 and RFC 4231 §4.3, test case 2.
  const auto data = as_bytes("what do ya want for nothing?");
  CHECK(std::ranges::equal(hmac_sha1(as_bytes("Jefe"), data),
                           test::from_hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")));
  CHECK(std::ranges::equal(hmac_sha256(as_bytes("Jefe"), data),
                           test::from_hex("5bdcc146bf60754e6a042426089575c7"
                                          "5a003f089d2739839dec58b964ec3843")));
  // RFC 2202 §3, test case 6: a key longer than the digest's block.
  const std::vector<std::byte> long_key(80, std::byte{0xAA});
  const auto text = as_bytes("Test Using Larger Than Block-Size Key - Hash Key First");
  CHECK(std::ranges::equal(hmac_sha1(long_key, text),
                           test::from_hex("aa4ae5e15272d00e95705637ce8a3b55ed402112")));
}

TEST_CASE("an empty key is a key of its own, not the one used before") {
  hmac_sha1(as_bytes("a key"), as_bytes("data"));
  hmac_sha256(as_bytes("a key"), as_bytes("data"));
  CHECK(std::ranges::equal(hmac_sha1({}, {}),
                           test::from_hex("fbdb1d1b18aa6c08324b7d64b71fb76370690e1d")));
  CHECK(
      std::ranges::equal(hmac_sha256({}, {}), test::from_hex("b613679a0814d9ec772f95d778c35fc5"
                                                             "ff1697c493715653c6c712144292c5ad")));
}

TEST_CASE("FINGERPRINT is the CRC-32 of ITU V.42, XOR-ed") {  // RFC 8489 §14.7
  CHECK(fingerprint(as_bytes("123456789")) == (0xCBF43926U ^ 0x5354554EU));
  CHECK(fingerprint({}) == 0x5354554EU);
  // The values are zlib's.
  std::array<std::byte, 32> octets{};
  CHECK(fingerprint(octets) == (0x190A55ADU ^ 0x5354554EU));
  octets.fill(std::byte{0xFF});
  CHECK(fingerprint(octets) == (0xFF6CAB0BU ^ 0x5354554EU));
  for (std::uint8_t i = 0; i < 32; ++i) octets[i] = std::byte{i};
  CHECK(fingerprint(octets) == (0x91267E8AU ^ 0x5354554EU));
  CHECK(fingerprint(Bytes{octets}.first(31)) == (0x4D786D77U ^ 0x5354554EU));
}

TEST_CASE("a message verifies with its key and with no other") {
  for (const auto with : {With::integrity, With::sha256, With::both}) {
    const auto written = request(with);
    const auto message = written.message();
    const auto sha1 = with == With::sha256 ? Integrity::missing : Integrity::valid;
    const auto sha256 = with == With::integrity ? Integrity::missing : Integrity::valid;
    CHECK(verify_integrity(message, key) == sha1);
    CHECK(verify_integrity_sha256(message, key) == sha256);
    for (const auto other : {"Key", "key2", ""}) {
      CHECK(verify_integrity(message, as_bytes(other)) != Integrity::valid);
      CHECK(verify_integrity_sha256(message, as_bytes(other)) != Integrity::valid);
    }
  }
}

TEST_CASE("a change of any covered bit, and of the HMAC itself, is found") {
  for (const auto with : {With::integrity, With::sha256}) {
    const auto written = request(with);
    const auto verify = with == With::integrity
                            ? [](const Message& m) { return verify_integrity(m, key); }
                            : [](const Message& m) { return verify_integrity_sha256(m, key); };
    const auto end = written.octets.size() - 8;  // in front of FINGERPRINT
    for (std::size_t bit = 0; bit < end * 8; ++bit) {
      CAPTURE(bit);
      auto changed = Written{
          {written.octets.begin(), written.octets.begin() + static_cast<std::ptrdiff_t>(end)}};
      store_u16(MutableBytes{changed.octets}.subspan(2), static_cast<std::uint16_t>(end - 20));
      REQUIRE(verify(changed.message()) == Integrity::valid);
      changed.octets[bit / 8] ^= std::byte{1} << (bit % 8);
      const auto message = Message::parse(changed.octets);
      if (message) REQUIRE(verify(*message) != Integrity::valid);
    }
  }
}

TEST_CASE("what stands behind an integrity attribute does not change its HMAC") {
  const auto both = request(With::both);
  const auto first_only = request(With::integrity);
  const auto value = both.message().value_of(attribute::message_integrity.type);
  CHECK(std::ranges::equal(*value,
                           *first_only.message().value_of(attribute::message_integrity.type)));
}

TEST_CASE("a truncated MESSAGE-INTEGRITY-SHA256 passes only where it is allowed") {
  for (const std::size_t size : {16U, 20U, 24U, 28U, 32U}) {
    CAPTURE(size);
    const auto written = request(With::sha256, size);
    const auto message = written.message();
    const auto by_default = size == 32 ? Integrity::valid : Integrity::malformed;
    CHECK(verify_integrity_sha256(message, key) == by_default);
    CHECK(verify_integrity_sha256(message, key, 16) == Integrity::valid);
    CHECK(verify_integrity_sha256(message, key, size) == Integrity::valid);
    CHECK(verify_integrity_sha256(message, key, size + 4) == Integrity::malformed);
    CHECK(verify_integrity_sha256(message, as_bytes("other"), 16) == Integrity::wrong);
  }
}

TEST_CASE("an HMAC of another size is malformed") {
  struct Row {
    const char* what;
    std::string hex;
    bool sha256;
  };
  const std::array rows{
      Row{"empty", "0008 0000", false},
      Row{"19 octets", "0008 0013" + std::string(40, '0'), false},
      Row{"24 octets", "0008 0018" + std::string(48, '0'), false},
      Row{"empty SHA256", "001c 0000", true},
      Row{"12 octets", "001c 000c" + std::string(24, '0'), true},
      Row{"18 octets", "001c 0012" + std::string(40, '0'), true},
      Row{"36 octets", "001c 0024" + std::string(72, '0'), true},
  };
  for (const auto& [what, hex, sha256] : rows) {
    CAPTURE(what);
    auto octets = test::from_hex("0001 0000 2112a442 00000000 00000000 00000000" + hex);
    store_u16(MutableBytes{octets}.subspan(2), static_cast<std::uint16_t>(octets.size() - 20));
    const auto message = Message::parse(octets);
    REQUIRE(message);
    const auto result =
        sha256 ? verify_integrity_sha256(*message, key, 0) : verify_integrity(*message, key);
    CHECK(result == Integrity::malformed);
  }
}

TEST_CASE("comparison needs equal sizes and equal octets") {
  CHECK(equal_in_constant_time(as_bytes("abc"), as_bytes("abc")));
  CHECK(equal_in_constant_time({}, {}));
  CHECK_FALSE(equal_in_constant_time(as_bytes("abc"), as_bytes("abd")));
  CHECK_FALSE(equal_in_constant_time(as_bytes("abc"), as_bytes("ab")));
  CHECK_FALSE(equal_in_constant_time(as_bytes("abc"), as_bytes("abcd")));
}

}  // namespace yuelao::stun::integrity_test

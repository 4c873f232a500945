#include "protocol/stun/codecs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/stun/message_writer.hpp"
#include "tests/support/every_attribute.hpp"
#include "tests/support/hex.hpp"

namespace yuelao::stun::codecs_test {
namespace {

using namespace std::chrono_literals;

// The id of RFC 5769's samples, for XOR-ed values that can be checked by hand.
TransactionId sample_id() {
  const auto octets = test::from_hex("2112a442 b7e7a701 bc34d686 fa87dfae");
  return TransactionId::from_header(Bytes{octets}.first<16>());
}

// `value` is written as the octets `hex`, and they are read as what writes them again.
template <class T, class Codec>
void check_wire(const Attribute<T, Codec>& attribute, const std::type_identity_t<T>& value,
                std::string_view hex) {
  CAPTURE(attribute.type.value);
  CAPTURE(hex);
  std::array<std::byte, 1200> buffer;
  const auto written = MessageWriter{buffer, Method::binding, Class::request, sample_id()}
                           .add(attribute, value)
                           .finish();
  const auto message = Message::parse(written);
  REQUIRE(message);
  const auto octets = message->value_of(attribute.type);
  REQUIRE(octets);
  CHECK(std::ranges::equal(*octets, test::from_hex(hex)));

  const auto read = message->get(attribute);
  REQUIRE(read);
  std::array<std::byte, 1200> again;
  const auto rewritten = MessageWriter{again, Method::binding, Class::request, sample_id()}
                             .add(attribute, *read)
                             .finish();
  CHECK(std::ranges::equal(rewritten, written));
}

// Whether the attribute reads a value of `size` octets: `start`, then zeros.
template <class T, class Codec>
bool readable(const Attribute<T, Codec>& /*attribute*/, const std::vector<std::byte>& start,
              std::size_t size) {
  auto value = start;
  value.resize(size);
  return Codec::decode(value, sample_id().cookie_and_id()).has_value();
}

template <class T, class Codec>
bool readable(const Attribute<T, Codec>& attribute, std::string_view hex) {
  const auto value = test::from_hex(hex);
  return readable(attribute, value, value.size());
}

struct Sizes {
  std::string_view start;           // octets that make a value of these sizes well-formed
  std::vector<std::size_t> single;  // sizes that are allowed
  std::size_t from = 1, to = 0;     // and a range of them
  bool allow(std::size_t size) const {
    return std::ranges::find(single, size) != single.end() || (from <= size && size <= to);
  }
};

constexpr std::size_t longest = 800;

Sizes sizes_of(std::string_view name) {
  using Names = std::vector<std::string_view>;
  const auto any_of = [&](const Names& names) {
    return std::ranges::find(names, name) != names.end();
  };
  if (any_of({"USERNAME", "REALM", "NONCE", "SOFTWARE"})) return {"", {}, 0, 763};
  if (name == "ALTERNATE-DOMAIN") return {"", {}, 0, 255};
  if (any_of({"DATA", "PADDING", "MOBILITY-TICKET", "PASSWORD"})) return {"", {}, 0, longest};
  if (any_of({"ERROR-CODE"})) return {"00000400", {}, 4, 4 + 763};
  if (any_of({"ADDRESS-ERROR-CODE"})) return {"01000400", {}, 4, 4 + 763};
  if (any_of({"REQUESTED-ADDRESS-FAMILY", "ADDITIONAL-ADDRESS-FAMILY"})) return {"01", {4}};
  if (name == "CHANNEL-NUMBER") return {"4000", {4}};
  if (name == "EVEN-PORT") return {"", {1}};
  if (name == "DONT-FRAGMENT") return {"", {0}};
  if (name == "MESSAGE-INTEGRITY") return {"", {20}};
  if (name == "MESSAGE-INTEGRITY-SHA256") return {"", {16, 20, 24, 28, 32}};
  if (name == "USERHASH") return {"", {32}};
  if (any_of({"RESERVATION-TOKEN", "ICMP"})) return {"", {8}};
  if (name == "RESPONSE-PORT") return {"", {2, 4}};
  if (name == "PASSWORD-ALGORITHM") return {"0001 0000", {4}};
  // A list of at most eight; zeros are as many algorithms without parameters.
  if (name == "PASSWORD-ALGORITHMS") return {"0001 0000", {0, 4, 8, 12, 16, 20, 24, 28, 32}};
  if (name.ends_with("ADDRESS") || name.ends_with("SERVER") || name.ends_with("ORIGIN") ||
      name.ends_with("FROM")) {
    return {"0001", {8}};
  }
  return {"", {4}};
}

}  // namespace

TEST_CASE("every attribute refuses every size that its RFC does not allow") {
  test::for_every_attribute([](std::string_view name, const auto& attribute) {
    CAPTURE(name);
    if (name == "UNKNOWN-ATTRIBUTES") return;  // any even size, below
    const auto sizes = sizes_of(name);
    const auto start = test::from_hex(sizes.start);
    for (std::size_t size = 0; size <= longest; ++size) {
      CAPTURE(size);
      CHECK(readable(attribute, start, size) == sizes.allow(size));
    }
  });
  CHECK_FALSE(readable(attribute::unknown_attributes, {}, 1));
  CHECK_FALSE(readable(attribute::unknown_attributes, {}, 33));
  CHECK(readable(attribute::unknown_attributes, {}, 0));
  CHECK(readable(attribute::unknown_attributes, {}, 34));
}

TEST_CASE("addresses stand plain or XOR-ed with cookie and transaction id") {  // RFC 8489 §14.2
  const auto v4 = *Endpoint::parse("192.0.2.1:32853");
  const auto v6 = *Endpoint::parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853");
  constexpr std::string_view plain_v4 = "0001 8055 c0000201";
  constexpr std::string_view plain_v6 = "0002 8055 20010db8 12345678 00112233 44556677";
  for (const auto& attribute :
       {attribute::mapped_address, attribute::response_address, attribute::source_address,
        attribute::changed_address, attribute::reflected_from, attribute::alternate_server,
        attribute::response_origin, attribute::other_address}) {
    check_wire(attribute, v4, plain_v4);
    check_wire(attribute, v6, plain_v6);
  }
  for (const auto& attribute : {attribute::xor_mapped_address, attribute::xor_peer_address,
                                attribute::xor_relayed_address}) {
    check_wire(attribute, v4, "0001 a147 e112a643");
    check_wire(attribute, v6, "0002 a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9");
  }
}

TEST_CASE("every other attribute stands as its RFC draws it") {
  using namespace attribute;
  check_wire(change_request, {.change_ip = true, .change_port = false}, "00000004");
  check_wire(change_request, {.change_ip = false, .change_port = true}, "00000002");
  check_wire(username, "evtj:h6vY", "6576746a 3a683676 59");
  check_wire(password, as_bytes("pass"), "70617373");
  check_wire(error_code, {438, "Stale Nonce"}, "00000426 5374616c65204e6f6e6365");
  check_wire(error_code, {699, ""}, "00000663");
  check_wire(channel_number, *ChannelNumber::from(0x4FFF), "4fff 0000");
  check_wire(lifetime, 600s, "00000258");
  check_wire(data, as_bytes("x"), "78");
  check_wire(realm, "example.org", "6578616d706c652e6f7267");
  check_wire(nonce, "n", "6e");
  check_wire(requested_address_family, Family::ipv6, "02000000");
  check_wire(additional_address_family, Family::ipv6, "02000000");
  check_wire(even_port, {.reserve_next = true}, "80");
  check_wire(even_port, {.reserve_next = false}, "00");
  check_wire(requested_transport, 17, "11000000");
  check_wire(dont_fragment, {}, "");
  check_wire(reservation_token, {std::byte{1}, std::byte{2}}, "01020000 00000000");
  check_wire(padding, as_bytes("pad"), "706164");
  check_wire(response_port, 0xABCD, "abcd0000");
  check_wire(connection_id, 0xDEADBEEF, "deadbeef");
  check_wire(address_error_code, {Family::ipv6, 440, "No"}, "02000428 4e6f");
  check_wire(alternate_domain, "turn.example", "7475726e2e6578616d706c65");
  check_wire(icmp, {3, 4, 1400}, "00000304 00000578");
  check_wire(software, "yuelao", "7975656c616f");
  check_wire(cache_timeout, 1h, "00000e10");
  check_wire(mobility_ticket, {}, "");
  check_wire(mobility_ticket, as_bytes("t"), "74");
}

TEST_CASE("lists of types and of password algorithms stand as their RFC draws them") {
  using namespace attribute;
  UnknownAttributes unknown;
  unknown.types = {AttributeType{0x7FFF}, AttributeType{0x0010}};
  unknown.count = 2;
  check_wire(unknown_attributes, unknown, "7fff0010");

  check_wire(password_algorithm, {0x0002, {}}, "00020000");
  check_wire(password_algorithm, {0x8001, as_bytes("salt!")}, "80010005 73616c74 21000000");
  PasswordAlgorithms algorithms;
  algorithms.algorithms = {PasswordAlgorithm{0x0002, {}}, PasswordAlgorithm{0x8001, as_bytes("s")},
                           PasswordAlgorithm{0x0001, {}}};
  algorithms.count = 3;
  check_wire(password_algorithms, algorithms, "00020000 80010001 73000000 00010000");
}

TEST_CASE("what an attribute cannot carry is malformed") {
  using namespace attribute;
  struct Row {
    const char* what;
    bool read;
  };
  const std::array rows{
      Row{"family 0", readable(xor_peer_address, "0000 0000 00000000")},
      Row{"family 3", readable(mapped_address, "0003 0000 00000000")},
      Row{"IPv4 address of 16 octets",
          readable(mapped_address, "0001 0000 00000000 00000000 00000000 00000000")},
      Row{"IPv6 address of 4 octets", readable(xor_peer_address, "0002 0000 00000000")},
      Row{"channel below the range", readable(channel_number, "3fff0000")},
      Row{"channel above the range", readable(channel_number, "50000000")},
      Row{"channel of RFC 5766's range", readable(channel_number, "7fff0000")},
      Row{"requested family 0", readable(requested_address_family, "00000000")},
      Row{"requested family 3", readable(requested_address_family, "03000000")},
      Row{"error class 2", readable(error_code, "00000263")},
      Row{"error class 7", readable(error_code, "00000700")},
      Row{"error number 100", readable(error_code, "00000464")},
      Row{"address error without a family", readable(address_error_code, "00000428")},
      Row{"address error of class 2", readable(address_error_code, "01000228")},
      Row{"algorithm longer than its attribute", readable(password_algorithm, "00010001")},
      Row{"algorithm without its padding", readable(password_algorithm, "00010001 61")},
      Row{"two algorithms where one belongs", readable(password_algorithm, "00010000 00020000")},
      Row{"list ends inside an algorithm", readable(password_algorithms, "00010000 0002")},
  };
  for (const auto& [what, read] : rows) {
    CAPTURE(what);
    CHECK_FALSE(read);
  }
}

TEST_CASE("reserved bits are ignored on reading") {
  using namespace attribute;
  CHECK(readable(mapped_address, "ff01 0000 00000000"));  // RFC 8489 §14.1
  CHECK(readable(error_code, "fffffc00"));                // RFC 8489 §14.8
  CHECK(readable(address_error_code, "01fffc28"));        // RFC 8656 §18.12
  CHECK(readable(channel_number, "4000ffff"));            // RFC 8656 §18.1
  CHECK(readable(requested_address_family, "01ffffff"));  // RFC 8656 §18.6
  const auto transport = test::from_hex("11ffffff");      // RFC 8656 §18.8
  CHECK(ProtocolCodec::decode(transport, {}) == std::uint8_t{17});
  const auto even = test::from_hex("7f");  // RFC 8656 §18.7
  CHECK(CodecOf<EvenPort>::decode(even, {}) == EvenPort{.reserve_next = false});
  const auto change = test::from_hex("fffffff9");  // RFC 5780 §7.2
  CHECK(CodecOf<ChangeRequest>::decode(change, {}) == ChangeRequest{});
}

TEST_CASE("an IPv4-mapped peer is read as the IPv4 peer it names") {
  const auto value = test::from_hex("0002 1234 00000000 00000000 0000ffff 0a000001");
  CHECK(PlainAddressCodec::decode(value, {}) == Endpoint::parse("10.0.0.1:4660"));
}

TEST_CASE("a lifetime that 32 bits do not hold is written as the nearest that they do") {
  check_wire(attribute::lifetime, std::chrono::seconds::max(), "ffffffff");
  check_wire(attribute::lifetime, -1s, "00000000");
}

TEST_CASE("of more unknown attributes than fit the first are read") {
  std::vector<std::byte> value(40);
  value[31] = std::byte{7};
  const auto unknown = CodecOf<UnknownAttributes>::decode(value, {});
  REQUIRE(unknown);
  CHECK(unknown->count == unknown_attribute_limit);
  CHECK(unknown->types.back() == AttributeType{7});
}

TEST_CASE("a value that its attribute may not carry is not written") {
  using namespace attribute;
  const std::string long_text(509, 'x');
  const std::array<std::byte, 18> odd_hmac{};
  std::array<std::byte, 2000> buffer;
  const auto written = [&](const auto& attribute, const auto& value) {
    return MessageWriter{buffer, Method::binding, Class::error, sample_id()}
        .add(attribute, value)
        .finish();
  };
  CHECK_FALSE(written(realm, std::string_view{long_text}.substr(1)).empty());
  CHECK(written(realm, long_text).empty());
  CHECK(written(error_code, ErrorCodeValue{400, long_text}).empty());
  CHECK(written(error_code, ErrorCodeValue{299, ""}).empty());
  CHECK(written(error_code, ErrorCodeValue{700, ""}).empty());
  CHECK(written(address_error_code, AddressErrorCode{Family::ipv4, 0, ""}).empty());
  CHECK(written(alternate_domain, std::string_view{long_text}.substr(0, 256)).empty());
  CHECK(written(message_integrity_sha256, Bytes{odd_hmac}).empty());
}

}  // namespace yuelao::stun::codecs_test

#include "protocol/edge/dtls_record.hpp"

#include <doctest/doctest.h>

#include <string_view>
#include <vector>

#include "tests/support/hex.hpp"

namespace yuelao::edge::dtls_record_test {
namespace {

using test::from_hex;
using Octets = std::vector<std::byte>;

// Record header, handshake header, version; then the random.
constexpr std::string_view hello_begin =
    "16 fefd 0000 000000000000 0036"
    "01 00002a 0000 000000 00002a fefd";

Octets hello(std::string_view begin = hello_begin) {
  auto octets = from_hex(begin);
  for (unsigned i = 0; i < 32; ++i) octets.push_back(static_cast<std::byte>(i));
  return octets;
}

TEST_CASE("a first octet of 20 to 63 is DTLS") {  // RFC 7983 §7
  for (unsigned first = 0; first < 256; ++first) {
    CAPTURE(first);
    CHECK(is_dtls(static_cast<std::byte>(first)) == (first >= 20 && first <= 63));
  }
}

TEST_CASE("a record's header tells its content and epoch, and a shorter one nothing") {
  const auto datagram = from_hex("17 fefd 0102 000000000003 0000");
  const auto record = first_dtls_record(datagram);
  REQUIRE(record);
  CHECK(record->content == DtlsRecord::Content::application_data);
  CHECK(record->epoch == 0x0102);
  for (std::size_t size = 0; size < datagram.size(); ++size) {
    CHECK_FALSE(first_dtls_record(Bytes{datagram}.first(size)));
  }
}

TEST_CASE("a ClientHello has a random, and nothing else has one") {
  const auto whole = hello();
  const auto random = client_hello_random(whole);
  REQUIRE(random);
  CHECK((*random)[0] == std::byte{0});
  CHECK((*random)[31] == std::byte{31});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(client_hello_random(Bytes{whole}.first(size)));
  }
  struct Row {
    std::string_view what;
    std::string_view begin;
  };
  constexpr Row rows[] = {
      {"a ServerHello", "16 fefd 0000 000000000000 0036 02 00002a 0000 000000 00002a fefd"},
      {"an alert", "15 fefd 0000 000000000000 0036 01 00002a 0000 000000 00002a fefd"},
      {"one with keys", "16 fefd 0001 000000000000 0036 01 00002a 0000 000000 00002a fefd"},
  };
  for (const auto& [what, begin] : rows) {
    CAPTURE(what);
    CHECK_FALSE(client_hello_random(hello(begin)));
  }
}

}  // namespace
}  // namespace yuelao::edge::dtls_record_test

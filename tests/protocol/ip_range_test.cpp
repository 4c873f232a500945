#include "protocol/ip_range.hpp"

#include <doctest/doctest.h>

namespace yuelao::ip_range_test {
namespace {

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

}  // namespace

TEST_CASE("a range holds both of its ends and nothing beside them") {
  struct Row {
    std::string_view range, before, first, last, after;
  };
  constexpr Row rows[] = {
      {"10.0.0.0/8", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
      {"192.0.2.5-192.0.2.9", "192.0.2.4", "192.0.2.5", "192.0.2.9", "192.0.2.10"},
      {"192.0.2.7", "192.0.2.6", "192.0.2.7", "192.0.2.7", "192.0.2.8"},
      {"fc00::/7", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
       "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
      {"2001:db8::1-2001:db8::2", "2001:db8::", "2001:db8::1", "2001:db8::2", "2001:db8::3"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.range);
    const auto range = IpRange::parse(row.range);
    REQUIRE(range);
    CHECK_FALSE(range->contains(address(row.before)));
    CHECK(range->contains(address(row.first)));
    CHECK(range->contains(address(row.last)));
    CHECK_FALSE(range->contains(address(row.after)));
  }
}

TEST_CASE("a range of one family holds no address of the other") {
  CHECK_FALSE(IpRange::parse("0.0.0.0/0")->contains(address("::1")));
  CHECK_FALSE(IpRange::parse("::/0")->contains(address("192.0.2.1")));
  CHECK(IpRange::parse("0.0.0.0/0")->contains(address("::ffff:192.0.2.1")));
}

TEST_CASE("what is not a range is refused") {
  for (const auto* text : {"", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/x", "/8",
                           "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "::1/129", "10/8", "a-b"}) {
    CAPTURE(text);
    CHECK_FALSE(IpRange::parse(text));
  }
}

}  // namespace yuelao::ip_range_test

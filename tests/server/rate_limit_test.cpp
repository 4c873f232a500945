#include "server/rate_limit.hpp"

#include <string>

#include <doctest/doctest.h>

namespace yuelao::server::rate_limit_test {
namespace {

using namespace std::chrono_literals;

constexpr RateLimit::Time start{1000s};
IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

TEST_CASE("a client may ask so often a minute, and again in the next") {
  RateLimit limit;
  const auto client = address("192.0.2.1");
  CHECK(limit.admits(client, 2, start));
  CHECK(limit.admits(client, 2, start + 1s));
  CHECK_FALSE(limit.admits(client, 2, start + 20s));
  CHECK(limit.wait(start + 20s) == 40s);
  CHECK(limit.wait(start + 59500ms) == 1s);
  CHECK(limit.admits(address("192.0.2.2"), 2, start + 20s));
  CHECK_FALSE(limit.admits(client, 2, start + 59s));
  CHECK(limit.admits(client, 2, start + 60s));
}

TEST_CASE("an IPv6 /64 is one client, and 0 is no limit") {
  RateLimit limit;
  CHECK(limit.admits(address("2001:db8::1"), 1, start));
  CHECK_FALSE(limit.admits(address("2001:db8::ffff"), 1, start));
  CHECK(limit.admits(address("2001:db8:0:1::1"), 1, start));
  for (int i = 0; i < 100; ++i) CHECK(limit.admits(address("192.0.2.1"), 0, start));
}

TEST_CASE("any number of clients takes bounded memory") {
  RateLimit limit;
  for (unsigned i = 0; i < 3 * RateLimit::clients; ++i) {
    const auto client =
        IpAddress::v4({10, static_cast<std::uint8_t>(i >> 16U), static_cast<std::uint8_t>(i >> 8U),
                       static_cast<std::uint8_t>(i)});
    REQUIRE(limit.admits(client, 1, start));
    REQUIRE(limit.remembered() <= RateLimit::clients);
  }
}

}  // namespace
}  // namespace yuelao::server::rate_limit_test

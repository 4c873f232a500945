#include "protocol/endpoint.hpp"

#include <doctest/doctest.h>

namespace yuelao::endpoint_test {

TEST_CASE("an IPv4-mapped IPv6 address is the IPv4 address it carries") {
  CHECK(IpAddress::parse("::ffff:192.0.2.1") == IpAddress::parse("192.0.2.1"));
  CHECK(IpAddress::parse("::ffff:c000:201") == IpAddress::v4({192, 0, 2, 1}));
  CHECK(IpAddress::parse("::192.0.2.1")->family() == Family::ipv6);
}

TEST_CASE("an endpoint's text form reads back as the same endpoint") {
  struct Row {
    std::string_view what, text;
  };
  constexpr Row rows[] = {
      {"IPv4", "192.0.2.1:3478"},
      {"IPv6", "[2001:db8::1]:65535"},
      {"unspecified", "[::]:0"},
  };
  for (const auto& [what, text] : rows) {
    CAPTURE(what);
    const auto endpoint = Endpoint::parse(text);
    REQUIRE(endpoint);
    CHECK(endpoint->to_string() == text);
  }
}

TEST_CASE("what is not an endpoint is refused") {
  for (const auto* text : {"", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "2001:db8::1:80",
                           "[2001:db8::1]", "host:80", "192.0.2.1:80x", ":80", "[]:80"}) {
    CAPTURE(text);
    CHECK_FALSE(Endpoint::parse(text));
  }
}

TEST_CASE("five-tuples that differ in one part differ") {
  const FiveTuple tuple{Transport::udp, *Endpoint::parse("192.0.2.1:1"),
                        *Endpoint::parse("192.0.2.2:3478")};
  auto other = tuple;
  other.transport = Transport::tcp;
  CHECK(other != tuple);
  CHECK(hash_value(other) != hash_value(tuple));
  other = tuple;
  other.client.port = 2;
  CHECK(other != tuple);
  CHECK(hash_value(other) != hash_value(tuple));
}

}  // namespace yuelao::endpoint_test

#include "server/connection_limit.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace yuelao::server::connection_limit_test {
namespace {

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

}  // namespace

TEST_CASE("so many connections altogether, until one ends") {
  ConnectionLimit limit{{.all = 2}};
  auto one = limit.admit(address("192.0.2.1"));
  auto other = limit.admit(address("192.0.2.1"));
  CHECK(one);
  CHECK(other);
  CHECK_FALSE(limit.admit(address("192.0.2.2")));
  other = {};
  CHECK(limit.admit(address("192.0.2.2")));
}

TEST_CASE("so many of one IPv4 address or IPv6 /64") {
  ConnectionLimit limit{{.all = 100, .per_prefix = 2}};
  std::vector<ConnectionLimit::Place> places;
  const auto comes = [&](std::string_view from) {
    auto place = limit.admit(address(from));
    const bool admitted = static_cast<bool>(place);
    if (admitted) places.push_back(std::move(place));
    return admitted;
  };
  CHECK(comes("192.0.2.1"));
  CHECK(comes("192.0.2.1"));
  CHECK_FALSE(comes("192.0.2.1"));
  CHECK(comes("192.0.2.2"));
  CHECK(comes("2001:db8::1"));
  CHECK(comes("2001:db8::2"));
  CHECK_FALSE(comes("2001:db8::3"));
  CHECK(comes("2001:db8:0:1::1"));
  places.erase(places.begin());
  CHECK(comes("192.0.2.1"));
  CHECK_FALSE(comes("192.0.2.1"));
}

TEST_CASE("a place that moves is one place") {
  ConnectionLimit limit{{.all = 1, .per_prefix = 1}};
  auto place = limit.admit(address("192.0.2.1"));
  CHECK(place.prefix() == address("192.0.2.1"));
  {
    const auto moved = std::move(place);
    CHECK(moved);
    CHECK_FALSE(limit.admit(address("192.0.2.2")));
  }
  CHECK(limit.admit(address("192.0.2.2")));
}

TEST_CASE("proxies have no limit of their own") {
  ConnectionLimit limit{
      {.all = 3, .per_prefix = 1, .proxies = {IpRange::parse("192.0.2.1").value()}}};
  const auto one = limit.admit(address("192.0.2.1"));
  const auto other = limit.admit(address("192.0.2.1"));
  CHECK(one);
  CHECK(other);
  CHECK_FALSE(one.prefix());
}

TEST_CASE("new bounds are for new connections") {
  ConnectionLimit limit{{.all = 3, .per_prefix = 3}};
  auto one = limit.admit(address("192.0.2.1"));
  auto other = limit.admit(address("192.0.2.1"));
  limit.set({.all = 3, .per_prefix = 1});
  CHECK(other);
  CHECK_FALSE(limit.admit(address("192.0.2.1")));
  other = {};
  CHECK_FALSE(limit.admit(address("192.0.2.1")));
  one = {};
  CHECK(limit.admit(address("192.0.2.1")));
}

}  // namespace yuelao::server::connection_limit_test

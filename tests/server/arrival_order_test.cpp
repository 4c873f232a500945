#include "server/arrival_order.hpp"

#include <string>

#include <doctest/doctest.h>

namespace yuelao::server::arrival_order_test {
namespace {

using Order = ArrivalOrder<int>;

// A prefix of its own for each number.
IpAddress prefix(int number) {
  return IpAddress::v4(
      {10, 0, static_cast<std::uint8_t>(number / 256), static_cast<std::uint8_t>(number % 256)});
}

}  // namespace

TEST_CASE("for one too many the oldest leaves, whosever it is") {
  Order order;
  for (int i = 0; i < static_cast<int>(Order::most); ++i) CHECK_FALSE(order.add(i, prefix(i)));
  CHECK(order.add(-1, prefix(0)) == 0);
  CHECK(order.add(-2, prefix(2)) == 1);
  order.remove(2);
  CHECK_FALSE(order.add(-3, std::nullopt));
  CHECK(order.add(-4, std::nullopt) == 3);
  CHECK(order.size() == Order::most);
}

TEST_CASE("for one too many of a prefix its own oldest leaves") {
  Order order;
  const auto crowd = prefix(1);
  CHECK_FALSE(order.add(-1, prefix(2)));
  for (int i = 0; i < static_cast<int>(Order::most_of_prefix); ++i) {
    CHECK_FALSE(order.add(i, crowd));
  }
  CHECK(order.add(-2, crowd) == 0);
  CHECK(order.add(-3, crowd) == 1);
  // Who has said who it is makes room.
  order.remove(2);
  order.remove(3);
  CHECK_FALSE(order.add(-4, crowd));
  CHECK_FALSE(order.add(-5, crowd));
  CHECK(order.add(-6, crowd) == 4);
}

TEST_CASE("who is counted under no prefix leaves with the oldest alone") {
  Order order;
  for (int i = 0; i < static_cast<int>(Order::most); ++i) CHECK_FALSE(order.add(i, std::nullopt));
  CHECK(order.add(-1, std::nullopt) == 0);
}

TEST_CASE("nothing is left of those that are gone") {
  Order order;
  order.add(1, prefix(1));
  order.remove(1);
  order.remove(1);
  CHECK(order.size() == 0);
  CHECK_FALSE(order.add(1, prefix(1)));
  CHECK(order.size() == 1);
}

}  // namespace yuelao::server::arrival_order_test

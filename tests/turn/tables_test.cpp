// The smaller tables: names of counters, quotas, expiry, live relays.

#include <map>
#include <set>

#include <doctest/doctest.h>

#include "protocol/turn/expiry_wheel.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test::tables_test {

TEST_CASE("every counter has a name of its own") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < drop_count; ++i) names.insert(name(static_cast<Drop>(i)));
  CHECK(names.size() == drop_count);
  CHECK_FALSE(names.contains(""));
  std::set<std::string_view> methods;
  for (std::size_t i = 0; i < method_slots; ++i) methods.insert(method_name(i));
  CHECK(methods.size() == method_slots);
  for (std::size_t i = 0; i < error_slots; ++i) CHECK(slot(error_at(i)) == i);
}

TEST_CASE("a proxy stands for many clients, and its prefix has no limit") {
  struct Row {
    std::string_view proxies, proxy, client, same_prefix;
  };
  constexpr Row rows[] = {
      {"10.0.0.0/24", "10.0.0.1", "203.0.112.9", "203.0.112.9"},
      {"fd00:7::/56", "fd00:7::1", "2001:470::9", "2001:470::a:0:0:9"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.proxies);
    const auto proxy = address(row.proxy);
    Limits limits{.allocations_per_prefix = 1, .proxies = {*IpRange::parse(row.proxies)}};
    QuotaLedger quota{limits};
    for (int i = 0; i < 3; ++i) CHECK(quota.admit("alice", proxy) == Admission::admitted);
    CHECK(quota.admit("alice", address(row.client)) == Admission::admitted);
    CHECK(quota.admit("alice", address(row.same_prefix)) == Admission::prefix_full);
    // Counts fit when it is a proxy no longer.
    limits.proxies.clear();
    quota.set_limits(limits);
    CHECK(quota.admit("alice", proxy) == Admission::prefix_full);
    for (int i = 0; i < 3; ++i) quota.release("alice", proxy);
    CHECK(quota.prefixes() == 1);
    CHECK(quota.admit("alice", proxy) == Admission::admitted);
  }
}

TEST_CASE("a limit of zero is none") {
  QuotaLedger quota{{.allocations = 0, .allocations_per_user = 0, .allocations_per_prefix = 0}};
  for (int i = 0; i < 1000; ++i) {
    CHECK(quota.admit("alice", address("203.0.112.9")) == Admission::admitted);
  }
  for (int i = 0; i < 1000; ++i) quota.release("alice", address("203.0.112.9"));
  CHECK(quota.total() == 0);
  CHECK(quota.users() == 0);
  CHECK(quota.prefixes() == 0);
}

TEST_CASE("a refused admission counts nothing") {
  QuotaLedger quota{{.allocations = 10, .allocations_per_user = 1}};
  CHECK(quota.admit("alice", address("203.0.112.9")) == Admission::admitted);
  CHECK(quota.admit("alice", address("203.0.111.9")) == Admission::user_full);
  CHECK(quota.total() == 1);
  CHECK(quota.prefixes() == 1);
}

TEST_CASE("the wheel reminds after the time asked for, and not twice") {
  ExpiryWheel wheel;
  const SteadyTime start{1000s};
  SteadyTime now = start;
  std::map<std::uint32_t, SteadyTime> reminded;
  const auto remind = [&](RelayId id) {
    CHECK_FALSE(reminded.contains(id.index));
    reminded[id.index] = now;
  };
  wheel.advance(now, remind);
  for (const std::uint32_t after : {0U, 1U, 2U, 600U, 3600U, 4000U}) {
    wheel.schedule({after, 0}, start + std::chrono::seconds{after}, now);
  }
  for (int i = 0; i < 5000; ++i) {
    now += 1s;
    wheel.advance(now, remind);
  }
  REQUIRE(reminded.size() == 6);
  for (const auto& [after, at] : reminded) {
    CHECK(at > start + std::chrono::seconds{after});
    CHECK(at <= start + std::chrono::seconds{after} + 2s);
  }
}

TEST_CASE("after a long sleep the wheel reminds of everything that is due") {
  ExpiryWheel wheel;
  const SteadyTime start{1000s};
  int reminded = 0;
  for (std::uint32_t after = 1; after <= 3600; ++after) {
    wheel.schedule({after, 0}, start + std::chrono::seconds{after}, start);
  }
  wheel.advance(start + 1'000'000s, [&](RelayId) { ++reminded; });
  CHECK(reminded == 3600);
}

TEST_CASE("a relay is live under both of its addresses until it closes") {
  RelayDirectory directory{{{address("203.0.114.1"), address("10.0.0.5")}}};
  CHECK(directory.add(endpoint("10.0.0.5:50000"), 7) == endpoint("203.0.114.1:50000"));
  CHECK(directory.live(endpoint("203.0.114.1:50000")));
  CHECK(directory.owner(endpoint("10.0.0.5:50000")) == ShardNumber{7});
  CHECK_FALSE(directory.owner(endpoint("10.0.0.5:50001")).has_value());
  CHECK(directory.live(endpoint("10.0.0.5:50000")));
  CHECK_FALSE(directory.live(endpoint("203.0.114.1:50001")));
  CHECK_FALSE(directory.live(endpoint("203.0.114.2:50000")));
  CHECK(directory.to_bound(endpoint("203.0.114.1:9")) == endpoint("10.0.0.5:9"));
  CHECK(directory.to_advertised(endpoint("10.0.0.5:9")) == endpoint("203.0.114.1:9"));
  CHECK(directory.to_bound(endpoint("192.0.78.1:9")) == endpoint("192.0.78.1:9"));
  directory.remove(endpoint("203.0.114.1:50000"), address("10.0.0.5"));
  CHECK_FALSE(directory.live(endpoint("10.0.0.5:50000")));
}

TEST_CASE("a relay keeps the address its client was told, and only what is live of it") {
  RelayDirectory directory{{{address("203.0.114.1"), address("10.0.0.5")}}};
  const auto old = directory.add(endpoint("10.0.0.5:50000"), 0);
  const std::vector<RelayAddress> fresh{{address("203.0.114.2"), address("10.0.0.5")}};
  RelayDirectory shard = directory;
  directory.follow(fresh);
  shard = directory;  // a copy knows the same relays
  CHECK(shard.add(endpoint("10.0.0.5:50001"), 1) == endpoint("203.0.114.2:50001"));
  CHECK(directory.live(endpoint("203.0.114.2:50001")));
  CHECK_FALSE(directory.live(endpoint("203.0.114.1:50001")));

  CHECK(directory.live(old));
  CHECK(directory.to_advertised(endpoint("10.0.0.5:50000")) == old);
  CHECK(directory.to_advertised(endpoint("10.0.0.5:50001")) == endpoint("203.0.114.2:50001"));
  CHECK(directory.to_bound(old) == endpoint("10.0.0.5:50000"));
  // The old address may be another machine's by now.
  CHECK(directory.to_bound(endpoint("203.0.114.1:22")) == endpoint("203.0.114.1:22"));

  directory.follow(fresh);
  CHECK(directory.has(address("203.0.114.1")));
  directory.remove(old, address("10.0.0.5"));
  directory.follow(fresh);
  CHECK_FALSE(directory.has(address("203.0.114.1")));
  CHECK(directory.live(endpoint("203.0.114.2:50001")));
}

TEST_CASE("new relays are opened in the families of the moment") {
  RelayDirectory directory{{{address("203.0.114.1"), address("10.0.0.5")}}};
  directory.follow({{address("2600::1"), address("2600::1")}});
  CHECK(directory.serves(Family::ipv6));
  CHECK_FALSE(directory.serves(Family::ipv4));
  CHECK(directory.add(endpoint("10.0.0.5:1"), 0) == endpoint("10.0.0.5:1"));
  CHECK_FALSE(directory.live(endpoint("203.0.114.1:1")));
}

}  // namespace yuelao::turn::test::tables_test

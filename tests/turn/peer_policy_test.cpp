#include "protocol/turn/peer_policy.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::peer_policy_test {
namespace {

using Verdict = PeerPolicy::Verdict;

// The address one above or one below, within the family; none at the very ends.
std::optional<IpAddress> neighbour(const IpAddress& address, int step) {
  std::array<std::uint8_t, 16> octets{};
  const auto size = address.octets().size();
  std::ranges::copy(address.octets(), octets.begin());
  const std::uint8_t wraps_from = step > 0 ? 0xFF : 0x00;
  std::size_t at = size;
  while (at > 0 && octets[at - 1] == wraps_from) {
    octets[--at] = static_cast<std::uint8_t>(wraps_from + step);
  }
  if (at == 0) return std::nullopt;
  octets[at - 1] = static_cast<std::uint8_t>(octets[at - 1] + step);
  if (size == 16) return IpAddress::v6(octets);
  return IpAddress::v4({octets[0], octets[1], octets[2], octets[3]});
}

bool in_some_range(const IpAddress& address) {
  return std::ranges::any_of(special_purpose_ranges(),
                             [&](const IpRange& range) { return range.contains(address); });
}

}  // namespace

TEST_CASE("every special-purpose block is closed up to both of its ends") {
  const PeerPolicy policy{{}};
  CHECK(special_purpose_ranges().size() > 30);
  for (const auto& range : special_purpose_ranges()) {
    CAPTURE(range.first().to_string());
    CHECK(policy.judge(range.first()) == Verdict::forbidden);
    CHECK(policy.judge(range.last()) == Verdict::forbidden);
    for (const auto& beside : {neighbour(range.first(), -1), neighbour(range.last(), 1)}) {
      if (!beside) continue;
      CAPTURE(beside->to_string());
      const auto expected = in_some_range(*beside) ? Verdict::forbidden : Verdict::allowed;
      CHECK(policy.judge(*beside) == expected);
    }
  }
}

TEST_CASE("a closed address stays closed in every spelling") {
  const PeerPolicy policy{{}};
  for (const auto* text : {
           "127.0.0.1",
           "::ffff:127.0.0.1",
           "::127.0.0.1",
           "::1",
           "::",
           "0.0.0.0",
           "64:ff9b::127.0.0.1",
           "64:ff9b:1::7f00:1",
           "2002:7f00:1::",
           "2002:a9fe:a9fe::1",
           "2001:0:7f00:1::1",
           "::ffff:0:127.0.0.1",
           "fe80::5efe:10.0.0.1",
           "2600::5efe:10.0.0.1",
           "2600::200:5efe:10.0.0.1",
           "169.254.169.254",
           "::ffff:169.254.169.254",
           "10.0.0.1",
           "172.16.0.1",
           "172.31.255.255",
           "192.168.0.1",
           "100.64.0.1",
           "224.0.0.1",
           "239.255.255.255",
           "255.255.255.255",
           "198.18.0.1",
           "192.0.2.1",
           "203.0.113.255",
           "fc00::1",
           "fd12:3456::1",
           "fe80::1",
           "fec0::1",
           "ff02::1",
           "2001:db8::1",
           "100::1",
       }) {
    CAPTURE(text);
    CHECK(policy.judge(address(text)) == Verdict::forbidden);
  }
}

TEST_CASE("plain public addresses are open") {
  const PeerPolicy policy{{}};
  for (const auto* text : {"1.1.1.1", "9.9.9.9", "100.63.255.255", "100.128.0.0", "172.15.255.255",
                           "172.32.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
                           "2600::1", "2a00:1450::1", "2001:470::1", "2001:4860:4860::8888"}) {
    CAPTURE(text);
    CHECK(policy.judge(address(text)) == Verdict::allowed);
  }
}

TEST_CASE("allow wins over deny, over our own addresses and over what is special") {
  PeerRules rules;
  rules.allow = {IpRange::parse("10.1.0.0/16").value(), IpRange::parse("8.8.8.8").value(),
                 IpRange::parse("198.51.100.7").value()};
  rules.deny = {IpRange::parse("8.0.0.0/8").value()};
  rules.own_addresses = {address("198.51.100.7"), address("198.51.100.8")};
  const PeerPolicy policy{rules};
  CHECK(policy.judge(address("10.1.2.3")) == Verdict::allowed);
  CHECK(policy.judge(address("10.2.0.0")) == Verdict::forbidden);
  CHECK(policy.judge(address("8.8.8.8")) == Verdict::allowed);
  CHECK(policy.judge(address("8.8.4.4")) == Verdict::forbidden);
  CHECK(policy.judge(address("198.51.100.7")) == Verdict::allowed);
  CHECK(policy.judge(address("198.51.100.8")) == Verdict::own);
}

TEST_CASE("a media server's policy: everything denied but its own address") {
  PeerRules rules;
  rules.allow = {IpRange::parse("198.51.100.7").value()};
  rules.deny = {IpRange::parse("0.0.0.0/0").value(), IpRange::parse("::/0").value()};
  const PeerPolicy policy{rules};
  CHECK(policy.judge(address("198.51.100.7")) == Verdict::allowed);
  CHECK(policy.judge(address("1.1.1.1")) == Verdict::forbidden);
  CHECK(policy.judge(address("2600::1")) == Verdict::forbidden);
}

}  // namespace yuelao::turn::test::peer_policy_test

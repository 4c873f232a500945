#include "protocol/turn/peer_policy.hpp"

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::peer_policy_test {
namespace {

using Verdict = PeerPolicy::Verdict;

}  // namespace

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

TEST_CASE("a media server's policy: everything denied but what is allowed, and our own relays") {
  PeerRules rules;
  rules.mode = PeerMode::media_server;
  rules.allow = {IpRange::parse("198.51.100.7").value()};
  rules.own_addresses = {address("198.51.100.7"), address("198.51.100.8")};
  const PeerPolicy policy{rules};
  CHECK(policy.judge(address("198.51.100.7")) == Verdict::allowed);
  CHECK(policy.judge(address("198.51.100.8")) == Verdict::own);
  CHECK(policy.judge(address("1.1.1.1")) == Verdict::forbidden);
  CHECK(policy.judge(address("2600::1")) == Verdict::forbidden);
}

}  // namespace yuelao::turn::test::peer_policy_test

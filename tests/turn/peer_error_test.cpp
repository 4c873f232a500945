// RFC 8656 §11.5: what ICMP says of a relay's datagrams.

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::peer_error_test {
namespace {

struct Call {
  explicit Call(Transport transport = Transport::udp) : client{world, "203.0.112.9:1", transport} {
    client.request(Method::allocate, [](stun::MessageWriter& writer) {
      requesting_udp()(writer);
      writer.add(attribute::additional_address_family, Family::ipv6);
    });
    REQUIRE(world.opened.size() == 2);
    client.permit("192.0.78.1:1");
    client.permit("[2001:470:7::1]:1");
  }
  std::vector<Sent> icmp(std::string_view peer, const stun::Icmp& icmp) {
    const bool v4 = endpoint(peer).address.family() == Family::ipv4;
    return world.peer_error(world.opened[v4 ? 0 : 1], {endpoint(peer), icmp});
  }

  World world;
  Client client;
};

}  // namespace

TEST_CASE("an ICMP error reaches the client as a Data indication without data") {
  for (const auto transport : {Transport::udp, Transport::tcp}) {
    Call call{transport};
    const auto sent = call.icmp("192.0.78.1:7000", {.type = 3, .code = 3});
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].from == call.client.path.socket);
    CHECK(sent[0].to == call.client.path.tuple.client);
    const auto message = sent[0].message();
    CHECK(message.method() == Method::data);
    CHECK(message.message_class() == stun::Class::indication);
    CHECK(message.get(attribute::xor_peer_address) == endpoint("192.0.78.1:7000"));
    CHECK(message.get(attribute::icmp) == stun::Icmp{.type = 3, .code = 3});
    CHECK_FALSE(message.has(attribute::data.type));
  }
}

TEST_CASE("a client is told of the types the RFC names, by family, and of an MTU where it is one") {
  struct Row {
    std::string_view what, peer;
    stun::Icmp heard;
    std::optional<std::uint32_t> data_told;
  };
  constexpr auto v4 = "192.0.78.1:1";
  constexpr auto v6 = "[2001:470:7::1]:1";
  const Row rows[] = {
      {"IPv4 port unreachable", v4, {3, 3, 77}, 0},
      {"IPv4 fragmentation needed", v4, {3, 4, 1400}, 1400},
      {"IPv4 time exceeded, with a code like the one above", v4, {11, 4, 1400}, 0},
      {"IPv4 parameter problem", v4, {12, 0, 0}, std::nullopt},
      {"IPv4 source quench", v4, {4, 0, 0}, std::nullopt},
      {"IPv4 has no type 1", v4, {1, 0, 0}, std::nullopt},
      {"IPv6 port unreachable", v6, {1, 4, 77}, 0},
      {"IPv6 packet too big", v6, {2, 0, 1280}, 1280},
      {"IPv6 time exceeded", v6, {3, 4, 77}, 0},
      {"IPv6 parameter problem", v6, {4, 1, 0}, std::nullopt},
      {"IPv6 has no type 11", v6, {11, 0, 0}, std::nullopt},
  };
  Call call;
  for (const auto& [what, peer, heard, data_told] : rows) {
    CAPTURE(what);
    const auto sent = call.icmp(peer, heard);
    CHECK(sent.size() == (data_told ? 1 : 0));
    if (sent.empty()) continue;
    const auto told = sent[0].message().get(attribute::icmp).value();
    CHECK(told == stun::Icmp{heard.type, heard.code, data_told.value_or(0)});
  }
  CHECK(call.world.drops(Drop::icmp) == 5);
}

TEST_CASE("only where a permission stands is there anything to tell") {
  Call call;
  CHECK(call.icmp("192.0.78.2:1", {3, 3, 0}).empty());
  CHECK(call.world.drops(Drop::no_permission) == 1);
  // The port does not matter, nor that the kernel may not know it.
  CHECK(call.icmp("192.0.78.1:0", {3, 3, 0}).size() == 1);
  CHECK(call.world.peer_error({99, 0}, {endpoint("192.0.78.1:1"), {3, 3, 0}}).empty());
  CHECK(call.world.drops(Drop::no_allocation) == 1);
  call.world.pass_silently(301s);
  CHECK(call.icmp("192.0.78.1:1", {3, 3, 0}).empty());
  call.world.pass_silently(300s);
  CHECK(call.icmp("192.0.78.1:1", {3, 3, 0}).empty());
  CHECK(call.world.drops(Drop::no_allocation) == 2);
}

TEST_CASE("a Data indication it is even where a channel is bound") {  // §12.5
  Call call;
  call.client.bind(0x4000, "192.0.78.1:7000");
  const auto sent = call.icmp("192.0.78.1:7000", {3, 1, 0});
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].message().method() == Method::data);
}

TEST_CASE("a flood of ICMP errors reaches the client as ten at once and ten a second") {
  Call call;
  std::size_t told = 0;
  for (int i = 0; i < 1000; ++i) told += call.icmp("192.0.78.1:1", {3, 3, 0}).size();
  CHECK(told == 10);
  CHECK(call.world.drops(Drop::icmp) == 990);
  // The other relay has a budget of its own.
  CHECK(call.icmp("[2001:470:7::1]:1", {1, 4, 0}).size() == 1);
  call.world.pass_silently(1s);
  told = 0;
  for (int i = 0; i < 1000; ++i) told += call.icmp("192.0.78.1:1", {3, 3, 0}).size();
  CHECK(told == 10);
}

TEST_CASE("behind a 1:1 NAT the peer is named as the client knows it") {
  auto options = default_options();
  options.relay_addresses = {{address("203.0.114.1"), address("10.0.0.5")}};
  World world{options};
  Client client{world, "203.0.112.9:1"};
  const auto relayed = client.allocate();
  client.permit("203.0.114.1:1");
  const auto sent = world.peer_error(client.relay, {endpoint("10.0.0.5:50000"), {3, 3, 0}});
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].message().get(attribute::xor_peer_address) == relayed);
}

}  // namespace yuelao::turn::test::peer_error_test

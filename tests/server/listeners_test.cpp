#include "server/listeners.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

#include "server/start_error.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server {
namespace {

const IpAddress loopback = IpAddress::v4({127, 0, 0, 1});

std::string reason_for_refusing(const config::Listen& listen) {
  try {
    open_listeners({listen}, 1);
  } catch (const StartError& error) {
    return error.what();
  }
  return "(not refused)";
}

void expect(const std::string& reason, const std::string& part) {
  CAPTURE(reason);
  CHECK(reason.find(part) != std::string::npos);
}

TEST_CASE("every shard gets a socket of every listener, on one port") {
  const auto listeners =
      open_listeners({{Transport::udp, loopback, 0}, {Transport::tcp, loopback, 0}}, 3);
  REQUIRE(listeners.addresses.size() == 2);
  REQUIRE(listeners.shards.size() == 3);
  for (const auto& shard : listeners.shards) {
    REQUIRE(shard.datagrams.size() == 1);
    CHECK(shard.datagrams[0].socket.local() == listeners.addresses[0].at);
    REQUIRE(shard.streams.size() == 1);
    CHECK(shard.streams[0].socket.local == listeners.addresses[1].at);
  }
}

TEST_CASE("a listener without an address takes IPv4 and IPv6 on one port") {
  const auto listeners = open_listeners({{Transport::udp, std::nullopt, 0}}, 1);
  REQUIRE(listeners.addresses.size() == 2);
  CHECK(listeners.addresses[0].at.address == IpAddress::v4({}));
  CHECK(listeners.addresses[1].at.address == IpAddress::v6({}));
  CHECK(listeners.addresses[0].at.port == listeners.addresses[1].at.port);
}

TEST_CASE("a port that is taken is refused, naming the program that holds it") {
  const std::string me = "(process " + std::to_string(::getpid()) + ")";
  for (const auto transport : {Transport::udp, Transport::tcp}) {
    // A server that would share its port (SO_REUSEPORT): without a second look, the
    // kernel would let both have it, and each would get half of the clients.
    const auto other = open_listeners({{transport, loopback, 0}}, 2);
    const auto port = other.addresses[0].at.port;
    const auto reason = reason_for_refusing({transport, loopback, port});
    expect(reason, std::to_string(port) + " on 127.0.0.1 is already taken by ");
    expect(reason, me);
    expect(reason_for_refusing({transport, std::nullopt, port}), "is already taken by ");
  }
}

TEST_CASE("an address of another machine is refused") {
  const auto reason = reason_for_refusing({Transport::udp, IpAddress::v4({192, 0, 2, 77}), 3478});
  expect(reason, "does not have the address 192.0.2.77");
}

}  // namespace
}  // namespace yuelao::server

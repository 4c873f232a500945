#include "server/listeners.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "server/start_error.hpp"
#include "tests/server/own_ports.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::listeners_test {
namespace {

using test::own_port;

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

// Another process, which has a UDP port of IPv6 alone.
class Holder {
 public:
  Holder() {
    const auto socket = UdpSocket::open_listener({IpAddress::v6({}), 0});
    REQUIRE(socket.has_value());
    port = socket->local().port;
    process = ::fork();
    REQUIRE(process >= 0);
    if (process > 0) return;
    ::pause();
    ::_exit(0);
  }
  ~Holder() {
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  int process = 0;
  std::uint16_t port = 0;
};

// IPv4's half of the port is this process's own by then, and its number comes first in /proc.
TEST_CASE("a port that is taken in IPv6 alone names the program that holds it there") {
  const Holder holder;
  expect(reason_for_refusing({Transport::udp, std::nullopt, holder.port}),
         "(process " + std::to_string(holder.process) + ")");
}

std::string with_port(const std::string& address, int index) {
  return address + ":" + std::to_string(own_port(index));
}

// Two addresses of loopback that nothing else is at.
turn::BehaviorDiscovery discovery_at(std::uint16_t first, std::uint16_t second) {
  const auto a = IpAddress::v4({127, 57, 80, 1});
  const auto b = IpAddress::v4({127, 57, 80, 2});
  return {.addresses = {{a, a}, {b, b}}, .ports = {first, second}};
}

TEST_CASE("behaviour discovery opens what `listen` leaves out, and nothing twice") {  // RFC 5780 §6
  const config::Listen udp{Transport::udp, IpAddress::v4({127, 57, 80, 1}), own_port(0)};
  const auto discovery = discovery_at(own_port(0), own_port(1));
  const auto alone = open_listeners({udp}, 2, discovery);
  REQUIRE(alone.addresses.size() == 4);
  for (const auto& listening : alone.addresses) CHECK(listening.transport == Transport::udp);
  for (const auto& shard : alone.shards) CHECK(shard.datagrams.size() == 4);
}

TEST_CASE("a listener without an address has one port of behaviour discovery on both") {
  const auto listeners = open_listeners(
      {{Transport::udp, std::nullopt, own_port(2)}, {Transport::tcp, std::nullopt, own_port(2)}}, 1,
      discovery_at(own_port(2), own_port(3)));
  const auto opened = [&](Transport transport, const std::string& at) {
    return std::ranges::count_if(listeners.addresses, [&](const Listening& listening) {
      return listening.transport == transport && listening.at == Endpoint::parse(at);
    });
  };
  for (const auto transport : {Transport::udp, Transport::tcp}) {
    CHECK(opened(transport, with_port("0.0.0.0", 2)) == 1);
    CHECK(opened(transport, with_port("127.57.80.1", 2)) == 0);
    CHECK(opened(transport, with_port("127.57.80.1", 3)) == 1);
    CHECK(opened(transport, with_port("127.57.80.2", 3)) == 1);
  }
}

TEST_CASE("what behaviour discovery cannot have is refused, naming its keys") {
  const auto reason_for = [](const std::vector<config::Listen>& listen,
                             const turn::BehaviorDiscovery& discovery) -> std::string {
    try {
      open_listeners(listen, 1, discovery);
    } catch (const StartError& error) {
      return error.what();
    }
    return "(not refused)";
  };
  const config::Listen udp{Transport::udp, loopback, 0};
  const auto other =
      open_listeners({{Transport::udp, IpAddress::v4({127, 57, 80, 2}), own_port(5)}}, 1);
  auto reason = reason_for({udp}, discovery_at(own_port(4), own_port(5)));
  expect(reason, std::to_string(own_port(5)) + " on 127.57.80.2 is already taken by ");
  expect(reason, "choose another port under `behavior_discovery.ports`");

  // Also where a listener without an address would seem to have it.
  auto elsewhere = discovery_at(own_port(6), own_port(7));
  elsewhere.addresses[1] = {IpAddress::v4({192, 0, 2, 77}), IpAddress::v4({192, 0, 2, 77})};
  reason = reason_for(
      {{Transport::udp, std::nullopt, own_port(6)}, {Transport::udp, std::nullopt, own_port(7)}},
      elsewhere);
  expect(reason, "does not have the address 192.0.2.77 that `behavior_discovery.addresses` names");
}

TEST_CASE("an address of another machine is refused") {
  const auto reason = reason_for_refusing({Transport::udp, IpAddress::v4({192, 0, 2, 77}), 3478});
  expect(reason, "does not have the address 192.0.2.77");
}

}  // namespace
}  // namespace yuelao::server::listeners_test

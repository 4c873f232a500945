#include "server/udp_socket.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "server/sender.hpp"
#include "tests/server/tested_poller.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::udp_socket_test {
namespace {

using test::UdpWire;

void wait_until_readable(const UdpSocket& socket) {
  pollfd wanted{socket.descriptor(), POLLIN, 0};
  REQUIRE(::poll(&wanted, 1, 20'000) == 1);
}

TEST_CASE("a wildcard listener tells the address it was asked at and answers from it") {
  struct Row {
    std::string_view what;
    std::string_view any;
    std::string_view asked_at;
    std::string_view client;
  };
  constexpr Row rows[] = {
      {"the usual address", "0.0.0.0", "127.0.0.1", "127.0.0.1"},
      {"another address of the machine", "0.0.0.0", "127.9.8.7", "127.0.0.1"},
      {"IPv6", "::", "::1", "::1"},
  };
  for (const auto& [what, any, asked_at, client] : rows) {
    CAPTURE(what);
    auto listener = UdpSocket::open_listener({*IpAddress::parse(any), 0}).value();
    UdpWire wire{*IpAddress::parse(client), {*IpAddress::parse(asked_at), listener.local().port}};
    wire.send(as_bytes("hello"));
    wait_until_readable(listener);

    DatagramPool pool;
    const auto received = listener.receive(pool, 64);
    REQUIRE(received.size() == 1);
    CHECK(received[0].to == *IpAddress::parse(asked_at));
    CHECK(received[0].from == wire.local());
    CHECK(as_text(received[0].payload) == "hello");

    turn::Counters counters;
    test::TestedPoller poller;
    Sender sender{counters, *poller};
    turn::Send answer;
    answer.source = received[0].to;
    answer.to = received[0].from;
    answer.payload = received[0].payload;
    // Two make a segmented message, which has to carry the source address as well.
    sender.add(listener, answer);
    sender.add(listener, answer);
    poller.flush(sender);
    for (int i = 0; i < 2; ++i) {
      REQUIRE(wire.receive().has_value());
      CHECK(wire.source() == Endpoint{*IpAddress::parse(asked_at), listener.local().port});
    }
  }
}

TEST_CASE("a visit takes what waits, up to its limit, and leaves the rest") {
  auto socket = UdpSocket::open_relay({IpAddress::v4({127, 0, 0, 1}), 0}).value();
  UdpWire wire{IpAddress::v4({127, 0, 0, 1}), socket.local()};
  for (int i = 0; i < 10; ++i) wire.send(as_bytes(std::to_string(i)));
  wait_until_readable(socket);

  DatagramPool pool;
  const auto first = socket.receive(pool, 8);
  REQUIRE(first.size() == 8);
  const auto second = socket.receive(pool, 8);
  REQUIRE(second.size() == 2);
  CHECK(socket.receive(pool, 8).empty());
  // Later visits leave earlier datagrams alone until the pool is reset.
  CHECK(as_text(first[0].payload) == "0");
  CHECK(as_text(second[1].payload) == "9");
  CHECK(pool.free() == DatagramPool::slot_count - 10);
}

TEST_CASE("datagrams the kernel merged come apart as they were sent") {  // udp(7), UDP_GRO
  for (const auto& loopback : test::loopbacks) {
    CAPTURE(loopback.to_string());
    auto from = UdpSocket::open_relay({loopback, 0}).value();
    auto socket = UdpSocket::open_relay({loopback, 0}).value();
    const std::vector<std::string> texts{"first of four", "second of 4 .", "third of four", "last"};
    turn::Counters counters;
    test::TestedPoller poller;
    Sender sender{counters, *poller};
    std::vector<turn::Send> sends(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      sends[i].to = socket.local();
      sends[i].payload = as_bytes(texts[i]);
      sender.add(from, sends[i]);
    }
    poller.flush(sender);
    wait_until_readable(socket);

    DatagramPool pool;
    const auto received = socket.receive(pool, 8);
    REQUIRE(received.size() == 1);
    CHECK(received[0].datagrams() == texts.size());
    CHECK(received[0].from == from.local());
    std::vector<std::string> parts;
    received[0].for_each_datagram([&](Bytes datagram) { parts.emplace_back(as_text(datagram)); });
    CHECK(parts == texts);
  }
}

TEST_CASE("an empty datagram is one datagram") {
  const auto loopback = IpAddress::v4({127, 0, 0, 1});
  auto socket = UdpSocket::open_relay({loopback, 0}).value();
  UdpWire wire{loopback, socket.local()};
  wire.send({});
  wait_until_readable(socket);
  DatagramPool pool;
  const auto received = socket.receive(pool, 8);
  REQUIRE(received.size() == 1);
  int seen = 0;
  received[0].for_each_datagram([&](Bytes datagram) {
    CHECK(datagram.empty());
    ++seen;
  });
  CHECK(seen == 1);
}

TEST_CASE("a pool without a free slot receives nothing and loses nothing") {
  auto socket = UdpSocket::open_relay({IpAddress::v4({127, 0, 0, 1}), 0}).value();
  UdpWire wire{IpAddress::v4({127, 0, 0, 1}), socket.local()};
  DatagramPool pool;
  pool.take(pool.prepare(DatagramPool::slot_count).size());
  wire.send(as_bytes("kept"));
  wait_until_readable(socket);
  CHECK(socket.receive(pool, 8).empty());
  pool.reset();
  REQUIRE(socket.receive(pool, 8).size() == 1);
}

TEST_CASE("the longest datagram there is arrives whole") {
  auto socket = UdpSocket::open_relay({IpAddress::v4({127, 0, 0, 1}), 0}).value();
  UdpWire wire{IpAddress::v4({127, 0, 0, 1}), socket.local()};
  wire.send(as_bytes(std::string(65507, 'x')));
  wait_until_readable(socket);
  DatagramPool pool;
  const auto received = socket.receive(pool, 8);
  REQUIRE(received.size() == 1);
  CHECK(received[0].payload.size() == 65507);
}

TEST_CASE("what the kernel had to throw away is counted") {  // SO_RXQ_OVFL
  auto socket = UdpSocket::open_relay({IpAddress::v4({127, 0, 0, 1}), 0}).value();
  const int smallest = 1;
  ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_RCVBUF, &smallest, sizeof smallest);
  UdpWire wire{IpAddress::v4({127, 0, 0, 1}), socket.local()};
  const std::string text(1000, 'x');
  for (int i = 0; i < 100; ++i) wire.send(as_bytes(text));
  wait_until_readable(socket);

  DatagramPool pool;
  std::size_t received = 0;
  for (auto some = socket.receive(pool, 8); !some.empty(); some = socket.receive(pool, 8)) {
    received += some.size();
    pool.reset();
  }
  // The count comes with the next datagram that is let in.
  wire.send(as_bytes("one more"));
  wait_until_readable(socket);
  REQUIRE(socket.receive(pool, 8).size() == 1);
  CHECK(socket.take_overflows() == 100 - received);
  CHECK(socket.take_overflows() == 0);
}

TEST_CASE("an ICMP error is noticed by the call it makes fail, and hides no datagram") {
  for (const auto& loopback : test::loopbacks) {
    CAPTURE(loopback.to_string());
    auto socket = UdpSocket::open_relay({loopback, 0}).value();
    UdpWire wire{loopback, socket.local()};
    const auto closed = UdpWire{Endpoint{loopback, 0}}.local();
    turn::Counters counters;
    test::TestedPoller poller;
    Sender sender{counters, *poller};
    turn::Send send;
    send.to = closed;
    sender.add(socket, send);
    poller.flush(sender);
    CHECK_FALSE(socket.errors_waiting());
    wire.send(as_bytes("hello"));
    wait_until_readable(socket);

    DatagramPool pool;
    CHECK(socket.receive(pool, 8).empty());
    REQUIRE(socket.errors_waiting());
    const auto errors = socket.take_errors();
    REQUIRE(errors.count == 1);
    CHECK(errors.errors[0].peer == closed);
    CHECK_FALSE(socket.take_errors().count);
    CHECK_FALSE(socket.errors_waiting());
    const auto received = socket.receive(pool, 8);
    REQUIRE(received.size() == 1);
    CHECK(as_text(received[0].payload) == "hello");
    // Nothing is left that epoll would report for ever.
    pollfd wanted{socket.descriptor(), POLLIN, 0};
    CHECK(::poll(&wanted, 1, 0) == 0);
  }
}

TEST_CASE("two listeners may share a port, a relay shares with nobody") {
  const auto first = UdpSocket::open_listener({IpAddress::v4({127, 0, 0, 1}), 0});
  REQUIRE(first.has_value());
  CHECK(UdpSocket::open_listener(first->local()).has_value());
  const auto relay = UdpSocket::open_relay(first->local());
  REQUIRE_FALSE(relay.has_value());
  CHECK(relay.error() == std::errc::address_in_use);
}

}  // namespace
}  // namespace yuelao::server::udp_socket_test

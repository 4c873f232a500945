#include "server/sender.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/server/wire.hpp"

namespace yuelao::server {
namespace {

using test::Octets;
using test::UdpWire;
using turn::Drop;

const Endpoint loopback{IpAddress::v4({127, 0, 0, 1}), 0};

// Datagrams and the strings they are made of.
struct Outgoing {
  std::vector<std::string> texts;
  std::vector<turn::Send> sends;

  Outgoing() {
    texts.reserve(turn::Outbox::send_limit);
    sends.reserve(turn::Outbox::send_limit);
  }
  const turn::Send& make(const Endpoint& to, std::string text) {
    texts.push_back(std::move(text));
    turn::Send& send = sends.emplace_back();
    send.to = to;
    send.payload = as_bytes(texts.back());
    return send;
  }
};

std::string text_of(std::optional<Octets> message) {
  return message ? std::string{as_text(*message)} : "(nothing)";
}

std::uint64_t drops(const turn::Counters& counters, Drop drop) {
  return counters.drops[static_cast<std::size_t>(drop)];
}

struct World {
  turn::Counters counters;
  Sender sender{counters};
  UdpSocket first = UdpSocket::open_relay(loopback).value();
  UdpSocket second = UdpSocket::open_relay(loopback).value();
  UdpWire alice{loopback};
  UdpWire bob{loopback};
  Outgoing out;
};

TEST_CASE("a flush keeps the order of each flow, whatever the sizes") {
  World world;
  for (std::size_t i = 0; i < 30; ++i) {
    const auto number = std::to_string(i);
    world.sender.add(world.first,
                     world.out.make(world.alice.local(), number + std::string(i % 7, 'x')));
    world.sender.add(world.second, world.out.make(world.bob.local(), number));
  }
  world.sender.flush();
  for (std::size_t i = 0; i < 30; ++i) {
    const auto number = std::to_string(i);
    CHECK(text_of(world.alice.receive()) == number + std::string(i % 7, 'x'));
    CHECK(world.alice.source() == world.first.local());
    CHECK(text_of(world.bob.receive()) == number);
    CHECK(world.bob.source() == world.second.local());
  }
  // One for each socket, and no more for the segments of unequal size.
  CHECK(world.sender.system_calls() == 2);
}

TEST_CASE("the destinations of one socket share a system call") {
  World world;
  for (int i = 0; i < 20; ++i) {
    world.sender.add(world.first, world.out.make(world.alice.local(), "to alice"));
    world.sender.add(world.first, world.out.make(world.bob.local(), "to bob"));
  }
  world.sender.flush();
  CHECK(world.sender.system_calls() == 1);
  for (int i = 0; i < 20; ++i) {
    CHECK(text_of(world.alice.receive()) == "to alice");
    CHECK(text_of(world.bob.receive()) == "to bob");
  }
}

TEST_CASE("prefix, payload and padding leave as one datagram") {
  World world;
  turn::Send send = world.out.make(world.alice.local(), "payload");
  send.prefix = as_bytes("head");
  send.padding = 1;
  // Twice, so that they leave as segments of one message.
  world.sender.add(world.first, send);
  world.sender.add(world.first, send);
  world.sender.flush();
  for (int i = 0; i < 2; ++i) {
    CHECK(text_of(world.alice.receive()) == std::string{"headpayload"} + '\0');
  }
}

TEST_CASE("empty datagrams are sent as well") {
  World world;
  for (int i = 0; i < 3; ++i) {
    world.sender.add(world.first, world.out.make(world.alice.local(), ""));
  }
  world.sender.flush();
  for (int i = 0; i < 3; ++i) CHECK(text_of(world.alice.receive()).empty());
}

TEST_CASE("a run the kernel will not cut up leaves singly") {
  World world;
  // Without checksums there is no segmentation: EINVAL.
  const int on = 1;
  ::setsockopt(world.first.descriptor(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on);
  for (int i = 0; i < 4; ++i) {
    world.sender.add(world.first, world.out.make(world.alice.local(), std::to_string(i)));
  }
  world.sender.add(world.first, world.out.make(world.bob.local(), "and the next flow"));
  world.sender.flush();
  for (int i = 0; i < 4; ++i) CHECK(text_of(world.alice.receive()) == std::to_string(i));
  CHECK(text_of(world.bob.receive()) == "and the next flow");
  CHECK(drops(world.counters, Drop::send_failed) == 0);
}

TEST_CASE("datagrams too long for one segmented message leave in several") {
  World world;
  for (int i = 0; i < 4; ++i) {
    world.sender.add(world.first, world.out.make(world.alice.local(), std::string(30'000, 'x')));
  }
  world.sender.flush();
  for (int i = 0; i < 4; ++i) CHECK(text_of(world.alice.receive()).size() == 30'000);
}

TEST_CASE("what the kernel refuses is counted, and the rest of the socket still leaves") {
  World world;
  const Endpoint broadcast{IpAddress::v4({255, 255, 255, 255}), 9};  // EACCES
  for (int i = 0; i < 3; ++i) {
    world.sender.add(world.first, world.out.make(broadcast, "refused"));
    world.sender.add(world.first, world.out.make(world.alice.local(), "accepted"));
  }
  world.sender.flush();
  for (int i = 0; i < 3; ++i) CHECK(text_of(world.alice.receive()) == "accepted");
  CHECK(drops(world.counters, Drop::send_failed) == 3);
}

}  // namespace
}  // namespace yuelao::server

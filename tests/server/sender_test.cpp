#include "server/sender.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "tests/server/tested_poller.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::sender_test {
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
  turn::Send& make(const Endpoint& to, std::string text) {
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
  explicit World(const Endpoint& at = loopback)
      : first{UdpSocket::open_relay(at).value()},
        second{UdpSocket::open_relay(at).value()},
        alice{at},
        bob{at} {}

  test::TestedPoller poller;
  turn::Counters counters;
  Sender sender{counters, *poller};
  UdpSocket first;
  UdpSocket second;
  UdpWire alice;
  UdpWire bob;
  Outgoing out;

  void flush() { poller.flush(sender); }
  // Then messages that are no runs cost no call of their own.
  bool poller_posts = poller->posts();
};

TEST_CASE("a flush keeps the order of each flow, whatever the sizes") {
  World world;
  for (std::size_t i = 0; i < 30; ++i) {
    const auto number = std::to_string(i);
    world.sender.add(world.first,
                     world.out.make(world.alice.local(), number + std::string(i % 7, 'x')));
    world.sender.add(world.second, world.out.make(world.bob.local(), number));
  }
  world.flush();
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
  world.flush();
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
  world.flush();
  for (int i = 0; i < 2; ++i) {
    CHECK(text_of(world.alice.receive()) == std::string{"headpayload"} + '\0');
  }
}

TEST_CASE("empty datagrams are sent as well") {
  World world;
  for (int i = 0; i < 3; ++i) {
    world.sender.add(world.first, world.out.make(world.alice.local(), ""));
  }
  world.flush();
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
  world.flush();
  for (int i = 0; i < 4; ++i) CHECK(text_of(world.alice.receive()) == std::to_string(i));
  CHECK(text_of(world.bob.receive()) == "and the next flow");
  CHECK(drops(world.counters, Drop::send_failed) == 0);
}

TEST_CASE("what follows a refused run in its flow stays behind it") {
  World world;
  const int on = 1;
  ::setsockopt(world.first.descriptor(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on);
  const std::vector<std::string> texts = {"aaa", "bbb", "cccccc", "ddd", "eee", "f", "gg"};
  for (const auto& text : texts) {
    world.sender.add(world.first, world.out.make(world.alice.local(), text));
    world.sender.add(world.second, world.out.make(world.bob.local(), text));
  }
  world.flush();
  for (const auto& text : texts) {
    CHECK(text_of(world.alice.receive()) == text);
    CHECK(text_of(world.bob.receive()) == text);
  }
}

TEST_CASE("datagrams too long for one segmented message leave in several") {
  World world;
  for (int i = 0; i < 4; ++i) {
    world.sender.add(world.first, world.out.make(world.alice.local(), std::string(30'000, 'x')));
  }
  world.flush();
  for (int i = 0; i < 4; ++i) CHECK(text_of(world.alice.receive()).size() == 30'000);
}

TEST_CASE("what the kernel refuses is counted, and the rest of the socket still leaves") {
  World world;
  const Endpoint broadcast{IpAddress::v4({255, 255, 255, 255}), 9};  // EACCES
  for (int i = 0; i < 3; ++i) {
    world.sender.add(world.first, world.out.make(broadcast, "refused"));
    world.sender.add(world.first, world.out.make(world.alice.local(), "accepted"));
  }
  world.flush();
  for (int i = 0; i < 3; ++i) CHECK(text_of(world.alice.receive()) == "accepted");
  CHECK(drops(world.counters, Drop::send_failed) == 3);
}

// An address of `wire`'s family where nobody listens any more.
Endpoint closed_port(const IpAddress& address) { return UdpWire{Endpoint{address, 0}}.local(); }

TEST_CASE("ICMP errors of one peer cost no other peer a datagram") {  // IP_RECVERR, RFC 8656 §11.5
  struct Row {
    std::string_view address;
    stun::Icmp unreachable;
  };
  constexpr Row rows[] = {{"127.0.0.1", {3, 3, 0}}, {"::1", {1, 4, 0}}};
  for (const auto& [text, unreachable] : rows) {
    CAPTURE(text);
    const auto address = IpAddress::parse(text).value();
    auto relay = UdpSocket::open_relay({address, 0}).value();
    UdpWire alive{Endpoint{address, 0}};
    const auto closed = closed_port(address);
    turn::Counters counters;
    test::TestedPoller poller;
    Sender sender{counters, *poller};
    Outgoing out;
    // Loopback delivers the errors before the next call: each one makes that call fail.
    for (int i = 0; i < 20; ++i) {
      sender.add(relay, out.make(closed, "nobody there"));
      poller.flush(sender);
      sender.add(relay, out.make(alive.local(), std::to_string(i)));
      poller.flush(sender);
    }
    for (int i = 0; i < 20; ++i) CHECK(text_of(alive.receive()) == std::to_string(i));
    CHECK(counters.drops == decltype(counters.drops){});

    // One each, unless the kernel was too busy for some; taken a few at a time, and then the
    // socket is as it was.
    std::size_t errors = 0;
    while (relay.errors_waiting()) {
      const auto taken = relay.take_errors();
      for (const auto& [peer, icmp] : taken.list()) {
        CHECK(peer == closed);
        CHECK(icmp == unreachable);
        ++errors;
      }
    }
    CHECK(errors > 0);
    CHECK(errors <= 20);
    pollfd wanted{relay.descriptor(), POLLIN, 0};
    CHECK(::poll(&wanted, 1, 0) == 0);
    const auto calls = sender.system_calls();
    sender.add(relay, out.make(alive.local(), "and on"));
    poller.flush(sender);
    CHECK(sender.system_calls() == calls + (poller->posts() ? 0 : 1));
  }
}

TEST_CASE("a run whose socket has an ICMP error leaves whole, and runs go on") {
  World world;
  const auto closed = closed_port(loopback.address);
  for (int round = 0; round < 3; ++round) {
    world.sender.add(world.first, world.out.make(closed, "nobody there"));
    world.flush();
    const auto calls = world.sender.system_calls();
    for (int i = 0; i < 8; ++i) {
      world.sender.add(world.first, world.out.make(world.alice.local(), "same size"));
    }
    world.flush();
    for (int i = 0; i < 8; ++i) CHECK(text_of(world.alice.receive()) == "same size");
    // The one that failed, and a run.
    CHECK(world.sender.system_calls() == calls + 2);
  }
  CHECK(world.counters.drops == decltype(world.counters.drops){});
}

int fragments_option(const UdpSocket& socket) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(socket.descriptor(), IPPROTO_IP, IP_MTU_DISCOVER, &value, &size) == 0);
  return value;
}

TEST_CASE(
    "datagrams with DF leave apart from the others, each flow in its order") {  // RFC 8656 §14
  for (const auto& at : test::loopbacks) {
    CAPTURE(at.to_string());
    World world{{at, 0}};
    const int before = fragments_option(world.first);
    for (int i = 0; i < 9; ++i) {
      auto& send = world.out.make(world.alice.local(), std::to_string(i));
      send.dont_fragment = i % 4 == 3;
      world.sender.add(world.first, send);
      world.sender.add(world.second, world.out.make(world.bob.local(), std::to_string(i)));
    }
    world.flush();
    for (int i = 0; i < 9; ++i) {
      CHECK(text_of(world.alice.receive()) == std::to_string(i));
      CHECK(text_of(world.bob.receive()) == std::to_string(i));
    }
    CHECK(fragments_option(world.first) == before);
    // Two runs and a single one without and two single ones with it; one run of the other socket.
    // A ring saves those of single ones, but of IPv4's with DF: that is an option of the socket.
    const std::uint64_t saved = at.family() == Family::ipv6 ? 3 : 1;
    CHECK(world.sender.system_calls() == 6 - (world.poller_posts ? saved : 0));
    CHECK(world.counters.drops == decltype(world.counters.drops){});
  }
}

}  // namespace
}  // namespace yuelao::server::sender_test

#include "server/poller.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/tested_poller.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::poller_test {
namespace {

using test::UdpWire;
using turn::SocketRef;
using namespace std::chrono_literals;

const IpAddress loopback = IpAddress::v4({127, 0, 0, 1});

// What a shard does, without an engine: it counts and keeps what comes to its relays.
struct World {
  test::TestedPoller poller;
  DatagramPool pool;
  std::vector<UdpSocket> relays;  // by index
  std::vector<std::vector<std::string>> texts;
  std::size_t most_events = 0;

  SocketRef ref(std::size_t index) const {
    return SocketRef::relay({static_cast<std::uint32_t>(index), 7});
  }
  UdpSocket& open() {
    relays.push_back(UdpSocket::open_relay({loopback, 0}).value());
    texts.emplace_back();
    REQUIRE_FALSE(poller->add(relays.back().descriptor(), ref(relays.size() - 1)));
    return relays.back();
  }
  void keep(std::size_t index, const Received& received) {
    received.for_each_datagram(
        [&](Bytes datagram) { texts[index].emplace_back(as_text(datagram)); });
  }
  void visit(const Poller::Event& event) {
    CHECK(event.ref == ref(event.ref.index));
    UdpSocket& relay = relays[event.ref.index];
    if (event.failed) relay.note_error();
    if (event.message != nullptr) {
      keep(event.ref.index, relay.read(*event.message));
    } else {
      for (const Received& received : relay.receive(pool, 8)) keep(event.ref.index, received);
    }
    if (event.disarmed) poller->rearm(relay.descriptor(), event.ref);
  }
  std::size_t round(std::chrono::milliseconds at_most = 0ms) {
    const auto events = poller->wait(at_most);
    poller->release();
    pool.reset();
    for (const auto& event : events) visit(event);
    most_events = std::max(most_events, events.size());
    return events.size();
  }
  bool eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + test::patience;
    while (!holds() && std::chrono::steady_clock::now() < deadline) round(100ms);
    return holds();
  }
};

// Whether something waits in the socket: the kernel drops datagrams on their way when it is busy,
// and that is no fault of a poller's.
bool is_readable(const UdpSocket& socket) {
  pollfd wanted{.fd = socket.descriptor(), .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, static_cast<int>(std::chrono::milliseconds{test::patience}.count())) ==
         1;
}

TEST_CASE("the poller under test is the one that was asked for") {
  test::TestedPoller poller;
  const auto wanted = test::tested_poller();
  if (wanted != config::Poller::automatic) {
    CHECK((poller->name() == "io_uring") == (wanted == config::Poller::io_uring));
  }
}

TEST_CASE("a wait ends when its time is up, or when another thread rings") {
  test::TestedPoller poller;
  CHECK(poller->wait(1ms).empty());
  CHECK_FALSE(poller->rung());
  for (int i = 0; i < 3; ++i) {
    std::jthread other{[&] { poller->ring(); }};
    CHECK(poller->wait(test::patience).empty());
    CHECK(poller->rung());
  }
  CHECK(poller->wait(0ms).empty());
  CHECK_FALSE(poller->rung());
}

TEST_CASE("datagrams of many sockets arrive whole, each flow in its order") {
  World world;
  std::vector<UdpWire> wires;
  wires.reserve(150);
  for (std::size_t i = 0; i < 150; ++i) wires.emplace_back(loopback, world.open().local());
  // More than there are buffers, before anybody looks.
  for (std::size_t round = 0; round < 6; ++round) {
    for (auto& wire : wires) wire.send(as_bytes(std::string(1 + 200 * round, 'x')));
  }
  CHECK(world.eventually([&] {
    return std::ranges::all_of(world.texts, [](const auto& texts) { return texts.size() == 6; });
  }));
  for (const auto& texts : world.texts) {
    for (std::size_t i = 0; i < texts.size(); ++i) CHECK(texts[i].size() == 1 + 200 * i);
  }
}

// io_uring has room for 2048 completions and 256 buffers; what does not fit must not be lost.
TEST_CASE("more sockets than a ring has room for are ready at once") {
  rlimit descriptors{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &descriptors) == 0);
  descriptors.rlim_cur = descriptors.rlim_max;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &descriptors) == 0);
  World world;
  UdpWire wire{{loopback, 0}};
  const auto send = [&](const UdpSocket& relay, std::string_view text) {
    wire.send_to(relay.local(), as_bytes(text));
    REQUIRE(is_readable(relay));
  };
  for (std::size_t i = 0; i < 2500; ++i) send(world.open(), "one");
  const auto heard = [&](std::size_t datagrams) {
    return world.eventually([&] {
      return std::ranges::all_of(world.texts,
                                 [&](const auto& texts) { return texts.size() == datagrams; });
    });
  };
  CHECK(heard(1));
  // All of them are still listened to.
  for (const UdpSocket& relay : world.relays) send(relay, "two");
  CHECK(heard(2));
}

TEST_CASE("the longest datagram there is arrives whole") {
  World world;
  UdpWire wire{loopback, world.open().local()};
  const std::string longest(65'507, 'x');
  wire.send(as_bytes(longest));
  CHECK(world.eventually([&] { return !world.texts[0].empty(); }));
  CHECK(world.texts[0][0] == longest);
}

TEST_CASE("a flooded socket leaves the others their turn") {
  World world;
  UdpWire flood{loopback, world.open().local()};
  UdpWire other{loopback, world.open().local()};
  for (int i = 0; i < 400; ++i) flood.send(as_bytes("flood"));
  world.round(100ms);
  other.send(as_bytes("other"));
  for (int i = 0; i < 8 && world.texts[1].empty(); ++i) {
    for (int k = 0; k < 128; ++k) flood.send(as_bytes("flood"));
    world.round();
  }
  CHECK(world.texts[1].size() == 1);
}

TEST_CASE("a stream is told of as long as it is readable, and writable where that is asked for") {
  test::TestedPoller poller;
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
  FileDescriptor ours{ends[0]};
  const FileDescriptor theirs{ends[1]};
  const auto ref = SocketRef::stream(3, 9);
  REQUIRE_FALSE(poller->add(ours.value(), ref));
  REQUIRE(::write(theirs.value(), "x", 1) == 1);
  for (int i = 0; i < 2; ++i) {
    const auto events = poller->wait(test::patience);
    REQUIRE(events.size() == 1);
    CHECK(events[0].ref == ref);
    CHECK(events[0].readable);
    CHECK_FALSE(events[0].writable);
  }
  REQUIRE_FALSE(poller->watch(ours.value(), ref, Poller::Interest::read_and_write));
  const auto events = poller->wait(test::patience);
  REQUIRE(events.size() == 1);
  CHECK(events[0].writable);
  ours = FileDescriptor{};
  CHECK(poller->wait(0ms).empty());
}

TEST_CASE("a removed socket's port is free at once, whatever waits in it") {
  World world;
  const auto local = world.open().local();
  for (int i = 0; i < 50; ++i) {
    UdpWire wire{loopback, local};
    wire.send(as_bytes("unread"));
    if (i % 2 == 0) world.round();
    world.poller->remove(world.ref(0));
    world.relays.clear();
    auto again = UdpSocket::open_relay(local);
    REQUIRE(again.has_value());
    world.relays.push_back(*std::move(again));
    REQUIRE_FALSE(world.poller->add(world.relays[0].descriptor(), world.ref(0)));
  }
}

}  // namespace
}  // namespace yuelao::server::poller_test

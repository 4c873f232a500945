// TCP relays and their connections (RFC 6062), in running shards.

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "server/socket_address.hpp"
#include "server/tcp_relay.hpp"
#include "tests/server/certificate.hpp"
#include "tests/server/shard_group.hpp"
#include "tests/server/turn_client.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::tcp_relay_test {
namespace {

using test::loopback;
using test::Octets;
using test::patience;
using test::ShardGroup;
using test::TcpWire;
using test::TurnClient;

config::Config tcp_config() {
  auto config = test::loopback_config();
  config.turn.tcp_relays = true;
  return config;
}

// A peer that listens, and the end of what it accepts.
class Peer {
 public:
  explicit Peer(const IpAddress& at = loopback) {
    socket_ = FileDescriptor{::socket(kernel_family(at), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (socket_.value() < 0) throw std::runtime_error{"socket"};
    SocketAddress local{Endpoint{at, 0}};
    REQUIRE(::bind(socket_.value(), local.data(), local.size()) == 0);
    REQUIRE(::listen(socket_.value(), 8) == 0);
  }
  Endpoint local() const {
    SocketAddress local;
    socklen_t size = SocketAddress::capacity;
    ::getsockname(socket_.value(), local.data(), &size);
    return local.endpoint();
  }
  FileDescriptor accept() {
    if (!ready(socket_.value())) return {};
    return FileDescriptor{test::uninterrupted(
        [this] { return ::accept4(socket_.value(), nullptr, nullptr, SOCK_CLOEXEC); })};
  }
  static bool ready(int descriptor) {
    pollfd waiting{.fd = descriptor, .events = POLLIN, .revents = 0};
    const int time = static_cast<int>(std::chrono::milliseconds{patience}.count());
    return test::uninterrupted([&] { return ::poll(&waiting, 1, time); }) == 1;
  }

 private:
  FileDescriptor socket_;
};

// So many octets, or fewer at the end of the stream.
std::string read(int descriptor, std::size_t size) {
  std::string text(size, '\0');
  std::size_t got = 0;
  while (got < size && Peer::ready(descriptor)) {
    const auto came =
        test::uninterrupted([&] { return ::recv(descriptor, text.data() + got, size - got, 0); });
    if (came <= 0) break;
    got += static_cast<std::size_t>(came);
  }
  text.resize(got);
  return text;
}

bool write(int descriptor, std::string_view text) {
  const auto sent = test::uninterrupted(
      [&] { return ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL); });
  return sent == static_cast<ssize_t>(text.size());
}

// A data connection and the peer that it leads to.
struct Bound {
  explicit Bound(const config::Config& config) : group{config} {
    REQUIRE(client.allocate_tcp());
    const auto id = client.connect(peer.local());
    REQUIRE(id);
    accepted = peer.accept();
    REQUIRE(TurnClient(wire, "alice", "wonderland").bind_connection(*id));
  }

  ShardGroup group;
  TcpWire control{group.tcp()};
  TurnClient client{control, "alice", "wonderland"};
  Peer peer;
  FileDescriptor accepted;
  TcpWire wire{group.tcp()};
};

TEST_CASE("a relay for TCP shares its port with its own connections and nobody else") {
  for (const auto& at : test::loopbacks) {
    CAPTURE(at.to_string());
    const auto relay = open_tcp_relay({at, 0});
    REQUIRE(relay);
    SocketAddress bound;
    socklen_t size = SocketAddress::capacity;
    REQUIRE(::getsockname(relay->descriptor.value(), bound.data(), &size) == 0);
    const auto port = bound.endpoint();
    CHECK(open_tcp_relay(port).error() == std::errc::address_in_use);

    Peer peer{at};
    const auto connecting = connect_from(port, peer.local());
    REQUIRE(connecting);
    const auto accepted = peer.accept();
    if (!accepted.open()) throw std::runtime_error{"the peer was not connected to"};
    SocketAddress from;
    size = SocketAddress::capacity;
    ::getpeername(accepted.value(), from.data(), &size);
    CHECK(from.endpoint() == port);
    // It still takes connections.
    const TcpWire other{port};
    REQUIRE(Peer::ready(relay->descriptor.value()));
    CHECK(accept_peer(*relay).has_value());
    CHECK(accept_peer(*relay).error() == std::errc::resource_unavailable_try_again);
  }
}

TEST_CASE("a data connection works whichever shard it comes to") {  // RFC 6062 §5.4
  constexpr std::size_t count = 8;
  ShardGroup group{tcp_config(), 2};
  TcpWire control{group.tcp()};
  TurnClient client{control, "alice", "wonderland"};
  REQUIRE(client.allocate_tcp());
  // As many peers as there may be connections: one of each of them.
  std::deque<Peer> peers(count);
  std::deque<TcpWire> wires;
  std::vector<FileDescriptor> accepted;
  for (auto& peer : peers) {
    const auto id = client.connect(peer.local());
    REQUIRE(id);
    accepted.push_back(peer.accept());
    auto& wire = wires.emplace_back(group.tcp());
    TurnClient data{wire, "alice", "wonderland"};
    REQUIRE(data.bind_connection(*id));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto text = std::to_string(i) + " there";
    CHECK(wires[i].write(as_bytes(text)));
    CHECK(read(accepted[i].value(), text.size()) == text);
    CHECK(write(accepted[i].value(), text));
    CHECK(read(wires[i].descriptor(), text.size()) == text);
  }
  // All of them are where the allocation is.
  const auto first = group.snapshot(0);
  const auto second = group.snapshot(1);
  CHECK(first.gauges.peer_connections[2] + second.gauges.peer_connections[2] == count);
  CHECK(first.gauges.peer_connections[2] * second.gauges.peer_connections[2] == 0);
  CHECK(first.meters.connections_open + second.meters.connections_open == count + 1);

  REQUIRE(client.refresh(std::chrono::seconds{0}));
  for (std::size_t i = 0; i < count; ++i) {
    CHECK(wires[i].closed_by_server());
    CHECK(read(accepted[i].value(), 1).empty());
  }
}

TEST_CASE("what a client sends right behind ConnectionBind reaches the peer") {  // RFC 6062 §5.4
  for (const unsigned shards : {1U, 2U}) {
    CAPTURE(shards);
    ShardGroup group{tcp_config(), shards};
    TcpWire control{group.tcp()};
    TurnClient client{control, "alice", "wonderland"};
    REQUIRE(client.allocate_tcp());
    // Enough of them to come to either shard.
    for (int i = 0; i < 6; ++i) {
      Peer peer;
      const auto id = client.connect(peer.local());
      REQUIRE(id);
      const auto accepted = peer.accept();
      TcpWire wire{group.tcp()};
      TurnClient data{wire, "alice", "wonderland"};
      const std::string text(50'000, 'x');
      REQUIRE(data.bind_connection(*id, as_bytes(text)));
      CHECK(read(accepted.value(), text.size()) == text);
    }
  }
}

TEST_CASE("a stream is held back to its allocation's bandwidth, and loses nothing") {
  auto config = tcp_config();
  config.turn.limits.bandwidth_per_allocation = 100'000;
  Bound bound{config};
  auto& [group, control, client, peer, accepted, wire] = bound;

  // A second's worth at once, and the rest in its time; both ways at the same time.
  const std::string text(200'000, 'z');
  const auto begun = std::chrono::steady_clock::now();
  REQUIRE(write(accepted.value(), text));
  REQUIRE(wire.write(as_bytes(text)));
  CHECK(read(wire.descriptor(), text.size()) == text);
  CHECK(read(accepted.value(), text.size()) == text);
  CHECK(std::chrono::steady_clock::now() - begun > std::chrono::milliseconds{800});
  // Who has rested goes on.
  CHECK(write(accepted.value(), "and more"));
  CHECK(read(wire.descriptor(), 8) == "and more");
}

TEST_CASE("what a slow reader does not take is not read from its sender") {  // RFC 6062 §3
  Bound bound{tcp_config()};
  auto& [group, control, client, peer, accepted, wire] = bound;

  // Until the kernel takes no more for as long as the server would need to take some.
  const std::string chunk(100'000, 'y');
  std::size_t sent = 0;
  timeval wait{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(accepted.value(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  while (sent < 200'000'000) {
    const auto taken = ::send(accepted.value(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
    if (taken <= 0) break;
    sent += static_cast<std::size_t>(taken);
  }
  CHECK(sent < 200'000'000);
  // The kernel's buffers of both sockets, and one read's worth here.
  const auto relayed = group.snapshot().counters.tcp_peer_to_client_bytes;
  CHECK(relayed < sent);
  CHECK(read(wire.descriptor(), sent).size() == sent);
  CHECK(group.eventually([&](const ShardSnapshot& snapshot) {
    return snapshot.counters.tcp_peer_to_client_bytes == sent;
  }));
}

}  // namespace
}  // namespace yuelao::server::tcp_relay_test

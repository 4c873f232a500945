// TCP relays: RFC 6062 §5.

#include <algorithm>
#include <utility>

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::connect_test {
namespace {

Options tcp_options() {
  auto options = default_options();
  options.tcp_relays = true;
  return options;
}

// A control connection with an allocation for TCP.
struct Control : Client {
  explicit Control(World& world, std::string_view from = "203.0.113.5:40000",
                   Transport transport = Transport::tcp)
      : Client{world, from, transport} {
    relayed = allocate(requesting_tcp());
  }
  // The number of a connection that is made to the peer.
  ConnectionId connect(std::string_view peer) {
    const auto answer = request(Method::connect, to_peer(peer));
    REQUIRE(code_of(answer) == 0);
    return answer->message().get(attribute::connection_id).value();
  }
  Endpoint relayed;
};

// A stream of the client's own for data.
struct Data : Client {
  explicit Data(World& world, std::string_view from = "203.0.113.5:40001")
      : Client{world, from, Transport::tcp} {
    path.socket = SocketRef::stream(8, 1);
  }
  std::optional<Sent> bind(ConnectionId id) {
    return request(Method::connection_bind,
                   [id](stun::MessageWriter& writer) { writer.add(attribute::connection_id, id); });
  }
};

Client::Fill both(Client::Fill first, Client::Fill second) {
  return [first = std::move(first), second = std::move(second)](stun::MessageWriter& writer) {
    first(writer);
    second(writer);
  };
}

}  // namespace

TEST_CASE("REQUESTED-TRANSPORT TCP is 442 where TCP relays are off") {  // RFC 6062 §5.1
  World world;
  Client client{world, "203.0.113.5:40000", Transport::tcp};
  CHECK(code_of(client.request(Method::allocate, requesting_tcp())) == 442);
}

TEST_CASE("a TCP relay is opened for clients over TCP and TLS alone") {  // RFC 6062 §5.1
  World world{tcp_options()};
  Client udp{world, "203.0.113.5:40000"};
  CHECK(code_of(udp.request(Method::allocate, requesting_tcp())) == 400);
  for (const auto transport : {Transport::tcp, Transport::tls}) {
    const Control control{world, transport == Transport::tcp ? "203.0.113.5:1" : "203.0.113.5:2",
                          transport};
    CHECK(world.opening.back().transport == RelayTransport::tcp);
  }
  Client other{world, "203.0.113.5:40001", Transport::tcp};
  const auto sctp = [](stun::MessageWriter& w) {
    w.add(attribute::requested_transport, std::uint8_t{132});
  };
  CHECK(code_of(other.request(Method::allocate, sctp)) == 442);
  CHECK(code_of(other.request(Method::allocate, requesting_udp())) == 0);
  CHECK(world.opening.back().transport == RelayTransport::udp);
}

TEST_CASE("what is about datagrams is 400 beside REQUESTED-TRANSPORT TCP") {  // RFC 6062 §5.1
  World world{tcp_options()};
  Client client{world, "203.0.113.5:40000", Transport::tcp};
  const Client::Fill wishes[] = {
      [](stun::MessageWriter& w) { w.add(attribute::dont_fragment, {}); },
      [](stun::MessageWriter& w) { w.add(attribute::even_port, {false}); },
      [](stun::MessageWriter& w) { w.add(attribute::reservation_token, {}); },
  };
  for (const auto& wish : wishes) {
    CHECK(code_of(client.request(Method::allocate, both(requesting_tcp(), wish))) == 400);
  }
  CHECK(world.opening.empty());
  // And LIFETIME is not (§4.1); the answer holds no RESERVATION-TOKEN.
  const auto answer = client.request(
      Method::allocate,
      both(requesting_tcp(), [](stun::MessageWriter& w) { w.add(attribute::lifetime, 900s); }));
  REQUIRE(code_of(answer) == 0);
  CHECK(answer->message().get(attribute::lifetime) == 900s);
  CHECK_FALSE(answer->message().has(attribute::reservation_token.type));
}

TEST_CASE("Connect asks for a connection from the relay and tells its number") {  // RFC 6062 §5.2
  World world{tcp_options()};
  Control control{world};
  const auto id = control.connect("192.0.9.1:80");
  REQUIRE(world.connecting.size() == 1);
  CHECK(world.connecting[0].relay == control.relay);
  CHECK(world.connecting[0].peer == endpoint("192.0.9.1:80"));
  CHECK(world.connecting[0].id == id);
  CHECK(world.engine.counters().peer_connections_made == 1);
  CHECK(world.quota.connections() == 1);
  CHECK(world.engine.gauges(world.now).peer_connections[1] == 1);
}

TEST_CASE("Connect without a TCP allocation is 437") {  // RFC 6062 §5.2
  World world{tcp_options()};
  Client nobody{world, "203.0.113.5:40000", Transport::tcp};
  CHECK(code_of(nobody.request(Method::connect, to_peer("192.0.9.1:80"))) == 437);
  nobody.allocate();
  CHECK(code_of(nobody.request(Method::connect, to_peer("192.0.9.1:80"))) == 437);
  CHECK(world.connecting.empty());
}

TEST_CASE("there is one connection with a peer's transport address") {  // RFC 6062 §5.2
  World world{tcp_options()};
  Control control{world};
  const auto again = [&] {
    return code_of(control.request(Method::connect, to_peer("192.0.9.1:80")));
  };
  SUBCASE("while it is being made") {
    world.peers = World::Peers::wait;
    CHECK(again() == -1);
    CHECK(again() == 446);
    const auto sent = world.peer_connected(world.connecting[0].id, {});
    REQUIRE(sent.size() == 1);
    CHECK(code_of(sent[0]) == 0);
  }
  SUBCASE("while it waits for its client") { control.connect("192.0.9.1:80"); }
  SUBCASE("while it carries data") {
    Data data{world};
    CHECK(code_of(data.bind(control.connect("192.0.9.1:80"))) == 0);
  }
  SUBCASE("also where the peer made it") {
    control.permit("192.0.9.1:1");
    CHECK(world.peer_accepted(control.relay, "192.0.9.1:80").id);
  }
  CHECK(again() == 446);
  CHECK(code_of(control.request(Method::connect, to_peer("192.0.9.1:81"))) != 446);
}

TEST_CASE("after a connection has ended there may be another one") {  // RFC 6062 §5.2
  World world{tcp_options()};
  Control control{world};
  Data data{world};
  const auto id = control.connect("192.0.9.1:80");
  CHECK(code_of(data.bind(id)) == 0);
  world.connection_ended(id);
  CHECK(world.quota.connections() == 0);
  CHECK(control.connect("192.0.9.1:80") != id);
  // One whose time is up stands in nobody's way, also before anything gave it back.
  world.pass_silently(31s);
  control.connect("192.0.9.1:80");
  CHECK(world.closed_peers.size() == 1);
}

TEST_CASE("Connect needs a peer that may be reached") {  // RFC 6062 §5.2
  World world{tcp_options()};
  Control control{world};
  CHECK(code_of(control.request(Method::connect)) == 400);
  struct Row {
    std::string_view peer;
    int code;
  };
  constexpr Row rows[] = {
      {"10.0.0.1:80", 403},        {"127.0.0.1:80", 403},
      {"169.254.169.254:80", 403}, {"198.51.100.1:22", 403},  // this server's own address
      {"198.51.100.1:3478", 403},  {"[2600::1]:80", 443},
  };
  for (const auto& [peer, code] : rows) {
    CAPTURE(peer);
    CHECK(code_of(control.request(Method::connect, to_peer(peer))) == code);
  }
  CHECK(world.connecting.empty());
}

TEST_CASE("of this server's own addresses a live TCP relay may be connected to") {
  World world{tcp_options()};
  Control first{world};
  Control second{world, "203.0.113.6:40000"};
  first.connect(second.relayed.to_string());
  // A relay for UDP takes no connections, and one for TCP no datagrams.
  Client udp{world, "203.0.113.7:40000"};
  const auto datagrams = udp.allocate().to_string();
  CHECK(code_of(first.request(Method::connect, to_peer(datagrams))) == 403);
  CHECK(code_of(udp.request(Method::channel_bind,
                            to_channel(0x4000, second.relayed.to_string()))) == 403);
}

TEST_CASE("behind a 1:1 NAT a connection to a relay goes to where it is bound") {
  auto options = tcp_options();
  options.relay_addresses = {{address("192.0.9.200"), address("10.1.1.1")}};
  options.peers.own_addresses = {address("192.0.9.200"), address("10.1.1.1")};
  World world{options};
  Control first{world};
  Control second{world, "203.0.113.6:40000"};
  CHECK(second.relayed.address == address("192.0.9.200"));
  first.connect(second.relayed.to_string());
  CHECK(world.connecting.back().peer == Endpoint{address("10.1.1.1"), second.relayed.port});
  // And comes from there as what the other client knows.
  second.permit("192.0.9.200:1");
  const auto accepted = world.peer_accepted(second.relay, "10.1.1.1:50000");
  REQUIRE(accepted.sent.size() == 1);
  CHECK(accepted.sent[0].message().get(attribute::xor_peer_address) ==
        endpoint("192.0.9.200:50000"));
}

TEST_CASE("a connection that cannot be made is 447") {  // RFC 6062 §5.2
  World world{tcp_options()};
  Control control{world};
  world.peers = World::Peers::refuse;
  CHECK(code_of(control.request(Method::connect, to_peer("192.0.9.1:80"))) == 447);
  world.connect_failure = ConnectFailure::no_descriptor;
  CHECK(code_of(control.request(Method::connect, to_peer("192.0.9.1:80"))) == 508);
  CHECK(world.quota.connections() == 0);
}

TEST_CASE("a connection is given 30 seconds to be made") {  // RFC 6062 §5.2
  World world{tcp_options()};
  Control control{world};
  world.peers = World::Peers::wait;
  CHECK_FALSE(control.request(Method::connect, to_peer("192.0.9.1:80")));
  CHECK_FALSE(control.request(Method::connect, to_peer("192.0.9.1:81")));
  world.pass(29s);
  const auto sent = world.pass_and_hear(1s);
  REQUIRE(sent.size() == 2);
  CHECK(code_of(sent[0]) == 447);
  CHECK(code_of(sent[1]) == 447);
  CHECK(world.quota.connections() == 0);
  // The world's answer comes too late.
  CHECK(world.peer_connected(world.connecting[0].id, {}).empty());
}

TEST_CASE("a success that comes after its time is a failure") {  // RFC 6062 §5.2
  World world{tcp_options()};
  Control control{world};
  world.peers = World::Peers::wait;
  CHECK_FALSE(control.request(Method::connect, to_peer("192.0.9.1:80")));
  world.pass_silently(30s);
  const auto sent = world.peer_connected(world.connecting[0].id, {});
  REQUIRE(sent.size() == 1);
  CHECK(code_of(sent[0]) == 447);
  CHECK(world.closed_peers == std::vector{world.connecting[0].id});
}

TEST_CASE("a connection that nobody binds is closed after 30 seconds") {  // RFC 6062 §5.2, §5.3
  World world{tcp_options()};
  Control control{world};
  control.permit("192.0.9.1:1");
  const auto made = control.connect("192.0.9.1:80");
  const auto accepted = world.peer_accepted(control.relay, "192.0.9.1:4000").id.value();
  SUBCASE("by the clock alone it can be bound no more") {
    world.pass_silently(30s);
    Data data{world};
    CHECK(code_of(data.bind(made)) == 400);
    CHECK(code_of(data.bind(accepted)) == 400);
  }
  SUBCASE("until then it can") {
    world.pass(29s);
    CHECK(world.closed_peers.empty());
    Data data{world};
    CHECK(code_of(data.bind(made)) == 0);
    world.pass(1s);
    CHECK(world.closed_peers == std::vector{accepted});
    CHECK(world.engine.carries_data(made, world.now));
  }
}

TEST_CASE("connections whose time is up at once end in the order of their numbers") {
  World world{tcp_options()};
  Control control{world};
  // Their numbers are drawn: often enough that they do not only grow.
  for (int round = 0; round < 8; ++round) {
    for (unsigned port = 1; port <= 16; ++port) {
      control.connect("192.0.9.1:" + std::to_string(port));
    }
    world.pass(30s);
    const auto closed = std::exchange(world.closed_peers, {});
    CHECK(closed.size() == 16);
    CHECK(std::ranges::is_sorted(closed));
  }
}

TEST_CASE("the client is told of a peer that connects") {  // RFC 6062 §5.3
  World world{tcp_options()};
  Control control{world};
  control.permit("192.0.9.1:1");
  const auto accepted = world.peer_accepted(control.relay, "192.0.9.1:4000");
  REQUIRE(accepted.id);
  REQUIRE(accepted.sent.size() == 1);
  CHECK(accepted.sent[0].from == control.path.socket);
  const auto told = accepted.sent[0].message();
  CHECK(told.method() == Method::connection_attempt);
  CHECK(told.message_class() == stun::Class::indication);
  CHECK(told.get(attribute::xor_peer_address) == endpoint("192.0.9.1:4000"));
  CHECK(told.get(attribute::connection_id) == *accepted.id);
  Data data{world};
  CHECK(code_of(data.bind(*accepted.id)) == 0);
  CHECK(world.binds.back().stream == data.path.socket);
}

TEST_CASE("a peer without a live permission is closed at once") {  // RFC 6062 §5.3
  World world{tcp_options()};
  Control control{world};
  control.permit("192.0.9.2:1");
  const auto refused = [&](std::string_view peer) {
    const auto accepted = world.peer_accepted(control.relay, peer);
    CHECK(accepted.sent.empty());
    return !accepted.id;
  };
  CHECK(refused("192.0.9.1:4000"));
  world.pass_silently(permission_lifetime);
  CHECK(refused("192.0.9.2:4000"));
  CHECK(world.drops(Drop::no_permission) == 2);
  world.client_closed(control.path);
  CHECK(refused("192.0.9.2:4000"));
  CHECK(world.drops(Drop::no_allocation) == 1);
}

TEST_CASE("a relay for UDP takes no connections") {  // RFC 6062 §5.1
  World world{tcp_options()};
  Client udp{world, "203.0.113.5:40000"};
  udp.allocate();
  udp.permit("192.0.9.1:1");
  const auto accepted = world.peer_accepted(udp.relay, "192.0.9.1:4000");
  CHECK_FALSE(accepted.id);
  CHECK(accepted.sent.empty());
  CHECK(world.drops(Drop::no_allocation) == 1);
}

TEST_CASE("ConnectionBind makes its stream the client's data connection") {  // RFC 6062 §5.4
  World world{tcp_options()};
  Control control{world};
  const auto id = control.connect("192.0.9.1:80");
  Data data{world};
  const auto answer = data.bind(id);
  CHECK(code_of(answer) == 0);
  REQUIRE(world.binds.size() == 1);
  CHECK(world.binds[0].id == id);
  CHECK(world.binds[0].stream == data.path.socket);
  CHECK(world.engine.gauges(world.now).peer_connections[2] == 1);
}

TEST_CASE("ConnectionBind is refused where it fits no connection") {  // RFC 6062 §5.4
  World world{tcp_options()};
  Control control{world};
  const auto id = control.connect("192.0.9.1:80");
  Data data{world};
  SUBCASE("400 without a number") { CHECK(code_of(data.request(Method::connection_bind)) == 400); }
  SUBCASE("400 for a number that nobody has") { CHECK(code_of(data.bind(id + 1)) == 400); }
  SUBCASE("400 for the number of a shard that is not there") {
    CHECK(code_of(data.bind(id | 0xFF00'0000)) == 400);
  }
  SUBCASE("400 over UDP") {
    Client udp{world, "203.0.113.5:40002"};
    CHECK(code_of(udp.request(Method::connection_bind, [id](stun::MessageWriter& writer) {
            writer.add(attribute::connection_id, id);
          })) == 400);
  }
  SUBCASE("400 over the control connection") {
    CHECK(code_of(control.request(Method::connection_bind, [id](stun::MessageWriter& writer) {
            writer.add(attribute::connection_id, id);
          })) == 400);
  }
  SUBCASE("401 without credentials") {
    CHECK(code_of(data.unsigned_request(Method::connection_bind, [id](stun::MessageWriter& writer) {
            writer.add(attribute::connection_id, id);
          })) == 401);
  }
  SUBCASE("441 for another user's") {
    data.user = "bob";
    data.password = "builder";
    CHECK(code_of(data.bind(id)) == 441);
  }
  CHECK(world.binds.empty());
  Data own{world, "203.0.113.5:40009"};
  CHECK(code_of(own.bind(id)) == 0);
  Data twice{world, "203.0.113.5:40010"};
  CHECK(code_of(twice.bind(id)) == 400);
}

TEST_CASE("a ConnectionBind for another shard's connection moves its stream there") {
  World first{tcp_options()};
  World second{
      tcp_options(),
      {first.quota, first.directory, first.reservations, first.roaming, first.bandwidth, 1, 2}};
  Control control{second};
  const auto id = control.connect("192.0.9.1:80");
  CHECK(shard_of(id) == 1);

  World here{
      tcp_options(),
      {first.quota, first.directory, first.reservations, first.roaming, first.bandwidth, 0, 2}};
  Data data{here};
  const auto bind = [&] {
    return data.compose(Method::connection_bind, [id](stun::MessageWriter& writer) {
      writer.add(attribute::connection_id, id);
    });
  };
  // A stranger's goes nowhere.
  CHECK(code_of(here.from_client(data.path, bind()).at(0)) == 401);
  CHECK(here.moved.empty());

  CHECK_FALSE(data.bind(id));  // answered where it goes
  REQUIRE(here.moved.size() == 1);
  CHECK(here.moved[0].client == data.path.socket);
  CHECK(here.moved[0].shard == 1);
  const auto sent = second.from_client(data.path, bind());
  REQUIRE(sent.size() == 1);
  CHECK(code_of(sent[0]) == 0);
  CHECK(second.binds.size() == 1);
}

TEST_CASE("all connections end with their allocation") {  // RFC 6062 §5.5
  World world{tcp_options()};
  Control control{world};
  control.permit("192.0.9.1:1");
  const auto bound = control.connect("192.0.9.1:80");
  Data data{world};
  CHECK(code_of(data.bind(bound)) == 0);
  world.peer_accepted(control.relay, "192.0.9.1:4000");
  world.peers = World::Peers::wait;
  CHECK_FALSE(control.request(Method::connect, to_peer("192.0.9.1:81")));
  CHECK(world.quota.connections() == 3);
  SUBCASE("when it is deleted") {
    CHECK(code_of(control.request(Method::refresh, [](stun::MessageWriter& writer) {
            writer.add(attribute::lifetime, 0s);
          })) == 0);
  }
  SUBCASE("when its control connection ends") { world.client_closed(control.path); }
  SUBCASE("when it expires") {
    world.pass_silently(600s);
    CHECK_FALSE(world.engine.carries_data(bound, world.now));
    world.pass(1s);
  }
  SUBCASE("when the server stops") { world.close_all(); }
  CHECK(world.closed_peers.size() == 3);
  CHECK(world.quota.connections() == 0);
  CHECK(world.quota.connected_users() == 0);
  CHECK_FALSE(world.engine.carries_data(bound, world.now));
  // The late outcome of a connection that is gone says nothing to anybody.
  CHECK(world.peer_connected(world.connecting.back().id, {}).empty());
}

TEST_CASE("connections are limited by allocation, user and server") {
  auto options = tcp_options();
  const auto second_connect = [](const Options& limited) {
    World world{limited};
    Control control{world};
    control.connect("192.0.9.1:80");
    control.permit("192.0.9.1:1");
    const auto code = code_of(control.request(Method::connect, to_peer("192.0.9.1:81")));
    CHECK_FALSE(world.peer_accepted(control.relay, "192.0.9.1:4000").id);
    CHECK(world.drops(Drop::connection_limit) == 1);
    return code;
  };
  SUBCASE("508 for an allocation") {
    options.limits.peer_connections_per_allocation = 1;
    CHECK(second_connect(options) == 508);
  }
  SUBCASE("486 for a user") {
    options.limits.peer_connections_per_user = 1;
    CHECK(second_connect(options) == 486);
  }
  SUBCASE("508 for the server") {
    options.limits.peer_connections = 1;
    CHECK(second_connect(options) == 508);
  }
}

TEST_CASE("nothing but its connections carries data over a TCP relay") {  // RFC 6062 §3
  World world{tcp_options()};
  Control control{world};
  control.permit("192.0.9.1:1");
  CHECK(code_of(control.request(Method::channel_bind, to_channel(0x4000, "192.0.9.1:80"))) == 403);
  CHECK(control.send_data("192.0.9.1:80", "hello").empty());
  CHECK(world.drops(Drop::no_allocation) == 1);
}

TEST_CASE("new peer rules end connections that they forbid") {
  auto options = tcp_options();
  World world{options};
  Control control{world};
  const auto bound = control.connect("192.0.9.1:80");
  const auto other = control.connect("203.0.112.1:80");
  Data data{world};
  CHECK(code_of(data.bind(bound)) == 0);
  Data more{world, "203.0.113.5:40002"};
  CHECK(code_of(more.bind(other)) == 0);
  options.peers.deny = {IpRange::parse("192.0.9.0/24").value()};
  world.reconfigure(options);
  CHECK_FALSE(world.engine.carries_data(bound, world.now));
  CHECK(world.engine.carries_data(other, world.now));
  world.pass(1s);
  CHECK(world.closed_peers == std::vector{bound});
}

}  // namespace yuelao::turn::test::connect_test

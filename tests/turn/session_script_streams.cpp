// Chapters of the recorded session: RFC 6062, relays for TCP.

#include <doctest/doctest.h>

#include "tests/turn/session_script.hpp"

namespace yuelao::turn::test {
namespace {

Client::Fill to_connection(ConnectionId id) {
  return [id](stun::MessageWriter& writer) { writer.add(attribute::connection_id, id); };
}

// A control connection with a relay for TCP.
struct Control : Client {
  Control(World& world, std::string_view from, Transport transport)
      : Client{world, from, transport} {
    allocate(requesting_tcp());
  }
  ConnectionId connect(std::string_view peer) {
    const auto answer = request(Method::connect, to_peer(peer));
    expect(0, answer);
    return answer->message().get(attribute::connection_id).value();
  }
};

// A stream that is to become a data connection.
struct Data : Client {
  Data(World& world, std::string_view from) : Client{world, from, Transport::tcp} {
    path.socket = SocketRef::stream(8, 1);
  }
  void bind(int code, ConnectionId id) {
    expect(code, request(Method::connection_bind, to_connection(id)));
  }
};

void connect_in_vain(World& world, Control& control) {
  const auto connect = [&control](int code, std::string_view peer) {
    expect(code, control.request(Method::connect, to_peer(peer)));
  };
  world.peers = World::Peers::refuse;
  connect(447, "192.0.9.1:80");
  world.connect_failure = ConnectFailure::no_descriptor;
  connect(508, "192.0.9.1:80");
  connect(403, "10.0.0.1:80");
  connect(443, "[2600::1]:80");
  expect(400, control.request(Method::connect));
  world.peers = World::Peers::accept;
}

}  // namespace

void make_connections(Session& session) {
  session.record.remark("RFC 6062: Connect, ConnectionBind, 446, 447, and one that takes too long");
  auto& world = session[1];
  Control control{world, "203.0.112.7:1", Transport::tcp};
  connect_in_vain(world, control);
  const auto id = control.connect("192.0.9.1:80");
  expect(446, control.request(Method::connect, to_peer("192.0.9.1:80")));
  Data data{world, "203.0.112.7:2"};
  data.bind(400, id + 1);
  data.bind(0, id);
  CHECK(world.carries_data(id));
  CHECK(world.data_carried(id, Way::to_peer, 1000) == 0ns);
  const auto before = session.options.limits;
  session.options.limits.bandwidth_per_allocation = 1000;
  session.reconfigure();
  CHECK(world.data_carried(id, Way::to_peer, 1000) == 0ns);
  CHECK(world.data_carried(id, Way::to_peer, 500) == 500ms);
  session.options.limits = before;
  session.reconfigure();

  world.peers = World::Peers::wait;
  expect(-1, control.request(Method::connect, to_peer("192.0.9.2:80")));
  expect(-1, control.request(Method::connect, to_peer("192.0.9.3:80")));
  expect(508, control.request(Method::connect, to_peer("192.0.9.4:80")));
  CHECK(session.pass(30s).size() == 2);
  expect(-1, control.request(Method::connect, to_peer("192.0.9.2:80")));
  expect(0, world.peer_connected(world.connecting.back().id, {}).at(0));
  world.peers = World::Peers::accept;

  session.record.remark("A ConnectionBind that came to the other shard");
  const auto second = control.connect("192.0.9.5:80");
  Data elsewhere{session[0], "203.0.112.7:3"};
  elsewhere.bind(-1, second);
  const auto bind = elsewhere.compose(Method::connection_bind, to_connection(second));
  expect(0, world.from_client(elsewhere.path, bind).at(0));

  world.connection_ended(id);
  CHECK_FALSE(world.carries_data(id));
  CHECK(session.pass(30s).empty());
  end_allocation(control);
}

void take_connections(Session& session) {
  session.record.remark("RFC 6062: ConnectionAttempt, over TLS");
  auto& world = session[0];
  Control control{world, "[2001:470::7]:1", Transport::tls};
  CHECK_FALSE(world.peer_accepted(control.relay, "[2600::1]:4000").id);
  control.permit("[2600::1]:1");
  const auto id = world.peer_accepted(control.relay, "[2600::1]:4000").id.value();
  CHECK(world.peer_accepted(control.relay, "[2600::1]:4001").id);
  CHECK(world.peer_accepted(control.relay, "[2600::1]:4002").id);
  CHECK_FALSE(world.peer_accepted(control.relay, "[2600::1]:4003").id);
  Data data{world, "[2001:470::7]:2"};
  data.user = "bob";
  data.password = "builder";
  data.bind(441, id);
  Data own{world, "[2001:470::7]:3"};
  own.bind(0, id);
  CHECK(control.send_data("[2600::1]:4000", "no datagrams").empty());
  session.record.remark("What nobody has bound ends after 30 seconds, the rest with its client");
  CHECK(session.pass(31s).empty());
  world.client_closed(control.path);
  CHECK(world.engine.allocation_count() == 0);
}

}  // namespace yuelao::turn::test

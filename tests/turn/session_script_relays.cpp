// Chapters of the recorded session: RFC 8656, relays for UDP.

#include <doctest/doctest.h>

#include "tests/turn/session_script.hpp"

namespace yuelao::turn::test {
namespace {

constexpr auto peer_v4 = "192.0.78.1:7000";
constexpr auto peer_v6 = "[2001:470:7::1]:7000";

Client::Fill requesting_both() {
  return all_of({requesting_udp(), [](stun::MessageWriter& writer) {
                   writer.add(attribute::additional_address_family, Family::ipv6);
                 }});
}

Client::Fill requesting(std::uint8_t protocol) {
  return [protocol](stun::MessageWriter& writer) {
    writer.add(attribute::requested_transport, protocol);
  };
}

Client::Fill reserving() {
  return all_of({requesting_udp(),
                 [](stun::MessageWriter& writer) { writer.add(attribute::even_port, {true}); }});
}

Client::Fill using_token(const ReservationToken& token) {
  return all_of({requesting_udp(), [token](stun::MessageWriter& writer) {
                   writer.add(attribute::reservation_token, token);
                 }});
}

void be_refused(World& world) {
  Client client{world, "203.0.112.2:9"};
  expect(400, client.request(Method::allocate));
  expect(442, client.request(Method::allocate, requesting(132)));
  expect(420,
         client.request(Method::allocate, all_of({requesting_udp(), with_raw({0x7F01}, "what")})));
  expect(437, client.request(Method::refresh));
  Client tunnelled{world, "[2002::1]:1"};
  expect(403, tunnelled.request(Method::allocate, requesting_udp()));
}

void fill_a_prefix(Session& session) {
  std::vector<Client> clients;
  for (unsigned port = 1; port <= session.options.limits.allocations_per_prefix + 1; ++port) {
    clients.emplace_back(session[port % 2], "203.0.112.3:" + std::to_string(port));
  }
  for (auto& client : clients) {
    const bool last = &client == &clients.back();
    expect(last ? 486 : 0, client.request(Method::allocate, requesting_udp()));
  }
  clients.pop_back();
  for (auto& client : clients) end_allocation(client);
}

void wait_for_relays(World& world) {
  world.relays = World::Relays::wait;
  Client client{world, "203.0.112.2:2", Transport::tcp};
  expect(401, client.unsigned_request(Method::allocate, requesting_both()));
  expect(-1, client.request(Method::allocate, requesting_both()));
  CHECK(world
            .relay_opened(world.opening.at(world.opening.size() - 2).id,
                          std::unexpected{RelayFailure::bind_failed})
            .empty());
  expect(0, world.relay_opened(world.opening.back().id, endpoint("[2001:470:1::1]:49000")).at(0));
  end_allocation(client);

  const auto allocate = client.compose(Method::allocate, requesting_udp());
  CHECK(client.send(allocate).empty());
  CHECK(client.send(allocate).empty());
  world.client_closed(client.path);
  CHECK(world.relay_opened(world.opening.back().id, endpoint("198.51.100.1:49000")).empty());

  world.relays = World::Relays::fail;
  Client unlucky{world, "203.0.112.2:3", Transport::dtls};
  expect(508, unlucky.request(Method::allocate, requesting_udp()));
  world.relays = World::Relays::open;
}

void be_refused_peers(Client& client) {
  const auto permit = [&client](int code, std::string_view peer) {
    expect(code, client.request(Method::create_permission, to_peer(peer)));
  };
  permit(403, "10.0.0.1:1");
  permit(403, "192.0.79.1:1");
  permit(443, peer_v6);
  expect(400, client.request(Method::create_permission));
  expect(400, client.request(Method::channel_bind, to_channel(0x5000, peer_v4)));
  expect(403, client.request(Method::channel_bind, to_channel(0x4000, "198.51.100.1:22")));
  permit(0, "198.51.100.1:22");
  CHECK(client.send_data("198.51.100.1:22", "to a service of the server's").empty());
  CHECK(client.send_data(peer_v6, "to the other family").empty());
  CHECK(client.send_data("192.0.78.9:1", "without a permission").empty());
  CHECK(client.channel_data(0x4FFF, "without a channel").empty());
}

void exchange(World& world, Client& client, std::string_view peer) {
  client.permit(peer);
  CHECK(
      client
          .send_data(peer, "question",
                     [](stun::MessageWriter& writer) { writer.add(attribute::dont_fragment, {}); })
          .size() == 1);
  CHECK(world.from_peer(client.relay, endpoint(peer), "an answer").size() == 1);
  client.bind(0x4001, peer);
  CHECK(client.channel_data(0x4001, "question").size() == 1);
  CHECK(world.from_peer(client.relay, endpoint(peer), "an answer").size() == 1);
}

void hear_of_errors(World& world, const Client& client) {
  const auto error = [&](std::string_view peer, const stun::Icmp& icmp) {
    return world.peer_error(client.relay, {endpoint(peer), icmp}).size();
  };
  CHECK(error(peer_v4, {.type = 3, .code = 3, .error_data = 0}) == 1);
  CHECK(error(peer_v4, {.type = 3, .code = 4, .error_data = 1400}) == 1);
  CHECK(error(peer_v4, {.type = 12, .code = 0, .error_data = 0}) == 0);
  CHECK(error("192.0.78.9:1", {.type = 3, .code = 3, .error_data = 0}) == 0);
}

}  // namespace

void allocate(Session& session) {
  session.record.remark("Allocate: both families, again, refused, 486, 508");
  auto& world = session[0];
  for (const auto* from : {"203.0.112.2:1", "[2001:470::2]:1"}) {
    for (const auto family : {Family::ipv4, Family::ipv6}) {
      Client client{world, from};
      client.allocate(all_of({requesting_udp(), of_family(family), of_lifetime(1800s)}));
      expect(437, client.request(Method::allocate, requesting_udp()));
      end_allocation(client);
    }
  }
  Client dual{world, "203.0.112.2:1"};
  expect(437, dual.request(Method::refresh));
  const auto twice = dual.compose(Method::allocate, requesting_both());
  CHECK(dual.send(twice).at(0).bytes == dual.send(twice).at(0).bytes);
  expect(0, dual.request(Method::refresh, all_of({of_lifetime(0s), of_family(Family::ipv4)})));
  expect(443, dual.request(Method::refresh, of_family(Family::ipv4)));
  Client other{world, "203.0.112.2:1"};
  other.user = "bob";
  other.password = "builder";
  expect(441, other.request(Method::refresh));
  end_allocation(dual);
  be_refused(world);
  fill_a_prefix(session);
  wait_for_relays(world);
}

void reserve_ports(Session& session) {
  session.record.remark("EVEN-PORT with R, RESERVATION-TOKEN, one that is used, one that expires");
  Client first{session[0], "203.0.112.4:1"};
  const auto answer = first.request(Method::allocate, reserving());
  const auto token = answer->message().get(attribute::reservation_token).value();
  Client second{session[0], "203.0.112.4:2", Transport::tls};
  expect(0, second.request(Method::allocate, using_token(token)));
  expect(508, Client{session[0], "203.0.112.4:3"}.request(Method::allocate, using_token(token)));
  Client third{session[1], "203.0.112.4:4"};
  expect(0, third.request(Method::allocate, reserving()));
  session.pass(31s);
  CHECK(session.reservations.size() == 0);
  end_allocation(first);
  end_allocation(second);
  end_allocation(third);
}

void reach_peers(Session& session) {
  session.record.remark("Permissions, channels, Send and Data, over every transport; ICMP");
  auto& world = session[1];
  std::vector<Client> clients;
  for (const auto transport : {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls}) {
    for (const auto* from : {"203.0.112.5:1", "[2001:470::5]:1"}) {
      auto& client = clients.emplace_back(world, from, transport);
      client.allocate();
      exchange(world, client, endpoint(from).address.family() == Family::ipv4 ? peer_v4 : peer_v6);
    }
  }
  be_refused_peers(clients[0]);
  hear_of_errors(world, clients[0]);
  CHECK(world.from_peer(clients[0].relay, endpoint("192.0.78.9:1"), "unasked").empty());

  session.record.remark("Permissions expire, then channels, then allocations");
  session.pass(301s);
  CHECK(world.from_peer(clients[0].relay, endpoint(peer_v4), "too late").empty());
  clients[0].permit(peer_v4);
  CHECK(world.from_peer(clients[0].relay, endpoint(peer_v4), "in time").size() == 1);
  session.pass(300s);
  CHECK(world.engine.allocation_count() == 0);
  CHECK(world.from_peer(clients[0].relay, endpoint(peer_v4), "nobody's").empty());
  CHECK(clients[0].channel_data(0x4001, "nowhere").empty());
}

void reach_relays(Session& session) {
  session.record.remark("From relay to relay, in a shard and between two");
  Client alice{session[0], "203.0.112.6:1"};
  Client bob{session[0], "203.0.112.6:2", Transport::tcp};
  Client carol{session[1], "203.0.112.6:3"};
  const auto alices = alice.allocate().to_string();
  const auto bobs = bob.allocate().to_string();
  bob.bind(0x4002, alices);
  alice.bind(0x4003, bobs);
  CHECK(alice.channel_data(0x4003, "hello").size() == 1);
  alice.permit(carol.allocate().to_string());
  carol.bind(0x4004, alices);
  CHECK(carol.channel_data(0x4004, "hello").empty());
  CHECK(session.deliver().size() == 1);
  for (auto* const client : {&alice, &bob, &carol}) end_allocation(*client);
}

}  // namespace yuelao::turn::test

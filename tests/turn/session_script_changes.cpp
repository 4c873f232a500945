// Chapters of the recorded session: what changes while allocations are up. RFC 8016, new options,
// the end.

#include <doctest/doctest.h>

#include "tests/turn/session_script.hpp"

namespace yuelao::turn::test {
namespace {

constexpr auto public_peer = "192.0.78.1:7000";

Octets ticket_in(const std::optional<Sent>& answer) {
  const auto value = answer.value().message().value_of(attribute::mobility_ticket.type).value();
  return {value.begin(), value.end()};
}

// Allocates, and binds a channel; returns the ticket.
Octets allocate_mobile(Client& client) {
  const auto answer = client.request(Method::allocate, all_of({requesting_udp(), with_ticket({})}));
  expect(0, answer);
  client.bind(0x4001, public_peer);
  return ticket_in(answer);
}

}  // namespace

void move(Session& session) {
  session.record.remark("RFC 8016: a client that moves, breaks before it makes, and moves again");
  auto& world = session[0];
  Client home{world, "203.0.112.8:1", Transport::tls};
  const auto ticket = allocate_mobile(home);
  const auto relay = world.opened.back();
  Client away{world, "203.0.113.8:2"};
  expect(400, away.request(Method::refresh, with_ticket(octets("no ticket"))));
  expect(437, away.request(Method::refresh));
  const auto refresh = away.compose(Method::refresh, with_ticket(ticket));
  const auto answer = away.send(refresh).at(0);
  expect(0, answer);
  expect(0, away.send(refresh).at(0));
  CHECK(world.from_peer(relay, endpoint(public_peer), "to the old address").at(0).to ==
        home.path.tuple.client);
  CHECK(away.channel_data(0x4001, "from the new one").size() == 1);
  CHECK(world.from_peer(relay, endpoint(public_peer), "to the new one").at(0).to ==
        away.path.tuple.client);
  world.client_closed(home.path);

  Client stream{world, "[2001:470::8]:3", Transport::tcp};
  const auto newest = stream.request(Method::refresh, with_ticket(ticket_in(answer)));
  CHECK(stream.channel_data(0x4001, "from a stream").size() == 1);
  world.client_closed(stream.path);
  Client back{world, "203.0.112.8:4", Transport::dtls};
  expect(0, back.request(Method::refresh, with_ticket(ticket_in(newest))));
  CHECK(back.channel_data(0x4001, "from an association").size() == 1);
  end_allocation(back);
}

void move_between_shards(Session& session) {
  session.record.remark("RFC 8016: datagrams, and a stream, that come to the other shard");
  Client home{session[0], "203.0.112.8:1"};
  const auto ticket = allocate_mobile(home);
  Client away{session[1], "203.0.113.8:2"};
  expect(-1, away.request(Method::refresh, with_ticket(ticket)));
  const auto answers = session.deliver();
  expect(0, answers.at(0));
  CHECK(away.channel_data(0x4001, "from the other shard").empty());
  CHECK(session.deliver().size() == 1);
  CHECK(session[0].from_peer(session[0].opened.back(), endpoint(public_peer), "to it").size() == 1);

  Client stream{session[1], "203.0.113.8:3", Transport::tcp};
  expect(437, stream.request(Method::refresh));
  const auto refresh = stream.compose(Method::refresh, with_ticket(ticket_in(answers.at(0))));
  CHECK(stream.send(refresh).empty());
  expect(0, session[0].from_client(stream.path, refresh).at(0));

  session.record.remark("What is still under way when its allocation ends");
  CHECK(away.channel_data(0x4001, "too late").empty());
  Client moved{session[0], "203.0.113.8:3", Transport::tcp};
  end_allocation(moved);
  CHECK(session.deliver().empty());
}

void change_rules(Session& session) {
  session.record.remark("New peer rules: a peer that is forbidden from now on");
  auto& world = session[0];
  Client client{world, "203.0.112.10:1"};
  client.allocate();
  client.bind(0x4001, public_peer);
  Client control{world, "203.0.112.10:2", Transport::tcp};
  control.allocate(requesting_tcp());
  const auto answer = control.request(Method::connect, to_peer("192.0.78.1:80"));
  const auto id = answer->message().get(attribute::connection_id).value();
  session.options.peers.deny.push_back(IpRange::parse("192.0.78.0/24").value());
  session.options.mobility = false;
  session.reconfigure();
  CHECK(client.channel_data(0x4001, "forbidden").empty());
  CHECK_FALSE(world.carries_data(id));
  CHECK(session.pass(1s).empty());
  expect(403, client.request(Method::channel_bind, to_channel(0x4001, public_peer)));
  session.record.remark("Without mobility: 405");
  Client mobile{world, "203.0.112.10:3"};
  expect(405, mobile.request(Method::allocate, all_of({requesting_udp(), with_ticket({})})));

  session.record.remark("Another relay address, and none for IPv6: 440");
  session.options.relay_addresses = {{address("198.51.100.3"), address("198.51.100.3")}};
  for (const auto& shard : session.shards) shard->readdress(session.options);
  CHECK(mobile.allocate().address == address("198.51.100.3"));
  Client v6{world, "203.0.112.10:4"};
  expect(440, v6.request(Method::allocate, all_of({requesting_udp(), of_family(Family::ipv6)})));
  const auto both = v6.request(
      Method::allocate, all_of({requesting_udp(), [](auto& writer) {
                                  writer.add(attribute::additional_address_family, Family::ipv6);
                                }}));
  CHECK(both->message().has(attribute::address_error_code.type));
}

void take_credentials_away(Session& session) {
  session.record.remark("Credentials that are taken away, and what was had by them");
  const auto before = session.options.credentials;
  auto& world = session[0];
  Client bob{world, "203.0.112.15:1"};
  bob.user = "bob";
  bob.password = "builder";
  Client old_rest{world, "203.0.112.15:2"};
  use_rest(old_rest, "old-secret", rest_name(world, 60s, ":carol"));
  Client new_rest{world, "203.0.112.15:3"};
  use_rest(new_rest, "new-secret", rest_name(world, 60s, ":carol"));
  for (auto* const client : {&bob, &old_rest, &new_rest}) client->allocate();
  session.options.credentials.users.pop_back();
  session.options.credentials.rest_secrets.erase(session.options.credentials.rest_secrets.begin());
  session.reconfigure();
  expect(401, bob.request(Method::refresh));
  expect(401, old_rest.request(Method::refresh));
  expect(0, new_rest.request(Method::refresh));
  session.options.credentials.denied_users = {"carol"};
  session.reconfigure();
  expect(401, new_rest.request(Method::refresh));
  session.options.credentials = before;
  session.reconfigure();
}

void drain_and_close(Session& session) {
  session.record.remark("Draining: 300, and 508 for who has nowhere to go; then the end");
  for (const auto& shard : session.shards) shard->drain();
  Client late{session[0], "203.0.112.11:1", Transport::tls};
  expect(300, late.request(Method::allocate, requesting_udp()));
  Client later{session[1], "[2001:470::11]:1"};
  expect(508, later.request(Method::allocate, requesting_udp()));
  for (const auto& shard : session.shards) shard->close_all();
  CHECK(session.pass(1s).empty());
  CHECK(session.quota.total() == 0);
}

}  // namespace yuelao::turn::test

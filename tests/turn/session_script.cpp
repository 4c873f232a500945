#include "tests/turn/session_script.hpp"

#include <utility>

#include <doctest/doctest.h>

namespace yuelao::turn::test {
namespace {

constexpr std::array ports{std::uint16_t{3478}, std::uint16_t{3479}};
constexpr std::array discovery_addresses{"198.51.100.1", "198.51.100.2"};

Options session_options() {
  auto options = default_options();
  options.mobility = true;
  options.tcp_relays = true;
  options.limits.allocations_per_prefix = 6;
  options.limits.peer_connections_per_allocation = 3;
  options.peers.deny = {IpRange::parse("192.0.79.0/24").value()};
  options.alternate_server = {{endpoint("198.51.100.9:0")}, "turn.example"};
  for (const auto* one : discovery_addresses) {
    options.behavior_discovery.addresses.push_back({address(one), address(one)});
  }
  options.behavior_discovery.ports = ports;
  return options;
}

void add_listeners(World& world) {
  std::uint32_t index = 0;
  for (const auto* one : discovery_addresses) {
    for (const auto port : ports) {
      world.add_listener(Transport::udp, SocketRef::listener(index++), {address(one), port});
      world.add_listener(Transport::tcp, {}, {address(one), port});
    }
  }
}

}  // namespace

Session::Session()
    : options{session_options()}, quota{options.limits}, directory{options.relay_addresses} {
  ShardNumber number = 0;
  for (auto& world : shards) {
    const Shared shared{quota, directory, reservations, roaming, bandwidth, number, shards.size()};
    world = std::make_unique<World>(options, shared);
    world->next_port = static_cast<std::uint16_t>(50000 + number * 5000);
    world->recorder = &record;
    record.start(number, {shards.size(), options}, world->now);
    add_listeners(*world);
    ++number;
  }
}

std::vector<Sent> Session::deliver() {
  std::vector<Sent> sent;
  const auto add = [&](const std::vector<Sent>& more) {
    sent.insert(sent.end(), more.begin(), more.end());
  };
  for (const auto& world : shards) {
    for (const auto& one : std::exchange(world->handed_over, {})) {
      add(shards.at(one.shard)->handover(one));
    }
    for (const auto& one : std::exchange(world->forwarded, {})) {
      add(shards.at(one.letter.shard)->forward(one));
    }
  }
  return sent;
}

std::vector<Sent> Session::pass(std::chrono::seconds time) {
  std::vector<Sent> sent;
  for (const auto& world : shards) {
    const auto more = world->pass_and_hear(time);
    sent.insert(sent.end(), more.begin(), more.end());
  }
  return sent;
}

void Session::reconfigure() {
  for (const auto& world : shards) world->reconfigure(options);
}

std::unique_ptr<Session> play_script() {
  auto session = std::make_unique<Session>();
  for (const auto& chapter :
       {bind_and_discover, authenticate, allocate, reserve_ports, reach_peers, reach_relays,
        make_connections, take_connections, move, move_between_shards, meet_limits, change_rules,
        take_credentials_away, drain_and_close}) {
    chapter(*session);
  }
  return session;
}

Client::Fill all_of(const std::vector<Client::Fill>& fills) {
  return [fills](stun::MessageWriter& writer) {
    for (const auto& fill : fills) fill(writer);
  };
}

Client::Fill of_lifetime(std::chrono::seconds lifetime) {
  return [lifetime](stun::MessageWriter& writer) { writer.add(attribute::lifetime, lifetime); };
}

Client::Fill of_family(Family family) {
  return [family](stun::MessageWriter& writer) {
    writer.add(attribute::requested_address_family, family);
  };
}

Client::Fill with_raw(stun::AttributeType type, std::string_view value) {
  return [type, value](stun::MessageWriter& writer) {
    writer.add(stun::Attribute<Bytes>{type}, as_bytes(value));
  };
}

Client::Fill with_ticket(const Octets& ticket) {
  return [ticket](stun::MessageWriter& writer) { writer.add(attribute::mobility_ticket, ticket); };
}

void expect(int code, const std::optional<Sent>& answer) { CHECK(code_of(answer) == code); }

void end_allocation(Client& client) { expect(0, client.request(Method::refresh, of_lifetime(0s))); }

}  // namespace yuelao::turn::test

#pragma once

// The session in tests/vectors/session.txt: what clients, peers and other shards say to a server
// of two shards, so that every procedure, error code, input and output of the engine occurs.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/turn/session_record.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test {

struct Session {
  Session();

  World& operator[](std::size_t shard) { return *shards.at(shard); }
  // Hands on what shards have for each other; returns what is sent for it.
  std::vector<Sent> deliver();
  // In both shards.
  std::vector<Sent> pass(std::chrono::seconds time);
  void reconfigure();

  SessionRecord record;
  Options options;
  QuotaLedger quota;
  RelayDirectory directory;
  ReservationBook reservations;
  RoamingTable roaming;
  BandwidthPool bandwidth{2};
  std::array<std::unique_ptr<World>, 2> shards;
};

// The chapters, in their order.
void bind_and_discover(Session& session);
void authenticate(Session& session);
void allocate(Session& session);
void reserve_ports(Session& session);
void reach_peers(Session& session);
void reach_relays(Session& session);
void make_connections(Session& session);
void take_connections(Session& session);
void move(Session& session);
void move_between_shards(Session& session);
void meet_limits(Session& session);
void change_rules(Session& session);
void take_credentials_away(Session& session);
void drain_and_close(Session& session);

// A new session with all chapters.
std::unique_ptr<Session> play_script();

// For the chapters.
Client::Fill all_of(const std::vector<Client::Fill>& fills);
Client::Fill of_lifetime(std::chrono::seconds lifetime);
Client::Fill of_family(Family family);
Client::Fill with_raw(stun::AttributeType type, std::string_view value);
Client::Fill with_ticket(const Octets& ticket);
// Checks the error code of an answer, 0 for a success, -1 for silence.
void expect(int code, const std::optional<Sent>& answer);
void end_allocation(Client& client);

}  // namespace yuelao::turn::test

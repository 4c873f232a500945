#pragma once

// What an engine is given, as values: so that a session can be recorded, and given once more.

#include <cstdint>
#include <expected>
#include <optional>
#include <variant>
#include <vector>

#include "protocol/turn/engine.hpp"

namespace yuelao::turn::test {

// One type an entry of Engine. Handover and Forward are what they are in an outbox.
namespace input {
struct AddListener {
  Transport transport;
  SocketRef listener;
  Endpoint local;
};
struct ClientMessage {
  ClientPath path;
  Bytes message;
};
struct PeerDatagram {
  RelayId relay;
  Endpoint peer;
  Bytes payload;
};
struct IcmpError {
  RelayId relay;
  PeerError error;
};
struct RelayOpened {
  RelayId relay;
  std::expected<Endpoint, RelayFailure> outcome;
};
struct PeerConnected {
  ConnectionId id;
  std::expected<void, ConnectFailure> outcome;
};
struct PeerAccepted {
  RelayId relay;
  Endpoint peer;
};
struct ConnectionEnded {
  ConnectionId id;
};
struct CarriesData {
  ConnectionId id;
};
struct DataCarried {
  ConnectionId id;
  Way way;
  std::uint64_t octets;
};
struct ClientClosed {
  ClientPath path;
};
struct Advance {};
struct Reconfigure {
  Options options;
};
struct Readdress {
  std::vector<RelayAddress> addresses;
};
struct Drain {};
struct CloseAll {};
}  // namespace input

using Input =
    std::variant<input::AddListener, input::ClientMessage, input::PeerDatagram, input::IcmpError,
                 Handover, Forward, input::RelayOpened, input::PeerConnected, input::PeerAccepted,
                 input::ConnectionEnded, input::CarriesData, input::DataCarried,
                 input::ClientClosed, input::Advance, input::Reconfigure, input::Readdress,
                 input::Drain, input::CloseAll>;

// An engine, and what of its server changes with it.
struct Host {
  ShardNumber shard;
  Engine& engine;
  RelayDirectory& directory;
};

// What an entry says by itself, and not in the outbox.
struct Said {
  std::optional<ConnectionId> accepted;  // of PeerAccepted
  bool carries_data = false;             // of CarriesData
  std::chrono::nanoseconds rest{};       // of DataCarried
};

// Calls the entry.
Said give(const Host& host, const Input& input, Now now, Outbox& out);

// Who looks on while an engine is given something; has to give it.
class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual Said enter(const Host& host, const Input& input, Now now, Outbox& out) = 0;
};

}  // namespace yuelao::turn::test

#pragma once

// A scripted world around one engine: the clock moves only when told, relays open (or
// fail) as scripted, and everything the engine wants done is kept for the test to read.

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/turn/engine.hpp"
#include "tests/turn/session_input.hpp"

namespace yuelao::turn::test {

using namespace std::chrono_literals;
namespace attribute = stun::attribute;
using stun::ErrorCode;
using stun::Method;

using Octets = std::vector<std::byte>;

Endpoint endpoint(std::string_view text);
IpAddress address(std::string_view text);
Octets octets(std::string_view text);

inline const Endpoint server_v4 = endpoint("198.51.100.1:3478");
inline const Endpoint server_v6 = endpoint("[2001:470:1::1]:3478");

// Two static users, two REST secrets, a relay address for each family.
Options default_options();

struct Sent {
  SocketRef from;
  Endpoint to;
  Octets bytes;  // prefix, payload and padding, as on the wire
  bool dont_fragment = false;
  IpAddress source{};

  stun::Message message() const;  // the bytes as a STUN message; throws when they are not
};

class CountingRandom final : public Random {
 public:
  void fill(MutableBytes out) override {
    for (auto& octet : out) octet = static_cast<std::byte>(next_++);
  }

 private:
  unsigned next_ = 1;
};

// As Handover, with a payload of its own.
struct HandedOver {
  ShardNumber shard;
  Endpoint relay;
  Endpoint source;
  Octets payload;
};

// As Forward, with a payload of its own.
struct Forwarded {
  Forward letter;
  Octets payload;
};

class World {
 public:
  explicit World(const Options& options = default_options());
  // One of several shards, which have `shared` in common.
  World(const Options& options, Shared shared);

  // Gives the engine one input and carries out its commands; returns what it sent.
  std::vector<Sent> from_client(const ClientPath& path, Bytes message);
  std::vector<Sent> from_peer(RelayId relay, const Endpoint& peer, std::string_view payload);
  std::vector<Sent> peer_error(RelayId relay, const PeerError& error);
  std::vector<Sent> handover(const HandedOver& letter);
  std::vector<Sent> forward(const Forwarded& message);
  std::vector<Sent> relay_opened(RelayId id, std::expected<Endpoint, RelayFailure> outcome);
  std::vector<Sent> peer_connected(ConnectionId id, std::expected<void, ConnectFailure> outcome);
  // A peer connects to the relay; `sent` is what the client is told.
  struct Accepted {
    std::optional<ConnectionId> id;
    std::vector<Sent> sent;
  };
  Accepted peer_accepted(RelayId relay, std::string_view peer);
  void connection_ended(ConnectionId id);
  void client_closed(const ClientPath& path);
  // Moves both clocks, and lets the engine give back what has expired.
  void pass(std::chrono::seconds time);
  std::vector<Sent> pass_and_hear(std::chrono::seconds time);
  // Moves the clocks without telling the engine: expiry must not depend on advance().
  void pass_silently(std::chrono::seconds time);
  void close_all();
  // As a server whose addresses have changed does.
  void readdress(const Options& options);
  void reconfigure(const Options& options);
  void drain();
  void add_listener(Transport transport, SocketRef listener, const Endpoint& local);
  bool carries_data(ConnectionId id);
  std::chrono::nanoseconds data_carried(ConnectionId id, Way way, std::uint64_t octets);

  std::uint64_t drops(Drop drop) const {
    return engine.counters().drops[static_cast<std::size_t>(drop)];
  }
  std::uint64_t errors(ErrorCode code) const { return engine.counters().errors[slot(code)]; }

  Now now{SteadyTime{1000s}, WallTime{1'800'000'000s}};
  Recorder* recorder = nullptr;  // outlives this; none but in a session that is recorded
  CountingRandom random;
  QuotaLedger quota;
  RelayDirectory directory;
  ReservationBook reservations;
  RoamingTable roaming;
  BandwidthPool bandwidth;
  Engine engine;

  // How the scripted server meets OpenRelay.
  enum class Relays { open, fail, wait } relays = Relays::open;
  RelayFailure failure = RelayFailure::no_port;
  std::uint16_t next_port = 50000;

  std::map<ReservationToken, Endpoint> held;  // reserved ports, as bound

  // How it meets ConnectPeer.
  enum class Peers { accept, refuse, wait } peers = Peers::accept;
  ConnectFailure connect_failure = ConnectFailure::failed;

  std::vector<ConnectPeer> connecting;
  std::vector<BindPeer> binds;
  std::vector<ConnectionId> closed_peers;
  std::vector<MoveClient> moved;

  std::vector<OpenRelay> opening;
  std::vector<RelayId> opened;
  std::vector<RelayId> closed;
  std::vector<ReservationToken> closed_reserved;
  std::vector<Notice> notices;
  std::vector<HandedOver> handed_over;
  std::vector<Forwarded> forwarded;

 private:
  // What this gives the engine goes through here, all of it.
  Said enter(const Input& input);
  std::vector<Sent> give(const Input& input);
  std::vector<Sent> finish();
  void collect(std::vector<Sent>& sent);
  void carry_out(const Command& command);
  void open(const OpenRelay& command);
  void open(const OpenReserved& command);
  void connect(const ConnectPeer& command);

  Options options_;
  ShardNumber shard_ = 0;
  Outbox out_;
};

// A client with long-term credentials that learns realm and nonce from challenges.
class Client {
 public:
  Client(World& world, std::string_view address, Transport transport = Transport::udp);

  // Adds the attributes of a request; credentials follow after it.
  using Fill = std::function<void(stun::MessageWriter&)>;

  // Sends one request and returns its answer; none when the engine was silent.
  std::optional<Sent> request(Method method, const Fill& fill = {});
  // The same, unsigned.
  std::optional<Sent> unsigned_request(Method method, const Fill& fill = {});
  std::vector<Sent> send(Bytes message) { return world_.from_client(path, message); }
  // The request as octets, so that a test can change or repeat it.
  Octets compose(Method method, const Fill& fill = {});

  // Procedures that a test takes for granted; each throws when refused.
  Endpoint allocate(const Fill& fill);
  Endpoint allocate();
  void permit(std::string_view peer);
  void bind(std::uint16_t channel, std::string_view peer);

  std::vector<Sent> send_data(std::string_view peer, std::string_view payload,
                              const Fill& fill = {});
  std::vector<Sent> channel_data(std::uint16_t channel, std::string_view payload);

  ClientPath path;
  RelayId relay;  // of the last allocate()
  std::string user = "alice";
  std::string password = "wonderland";
  std::string realm = "yuelao";
  std::string nonce;
  bool fingerprint = false;
  // How it signs: as RFC 5389 says, or as RFC 8489 does with this algorithm.
  std::optional<stun::KeyAlgorithm> algorithm;
  bool anonymous = false;  // USERHASH instead of USERNAME

 private:
  void sign(stun::MessageWriter& writer) const;
  void learn(const Sent& challenge);

  World& world_;
  unsigned transactions_ = 0;
};

// A TURN REST name that expires so long from now: `rest` stands behind its expiry.
std::string rest_name(const World& world, std::chrono::seconds from_now, std::string_view rest);
// With the password that the shared secret makes for it.
void use_rest(Client& client, std::string_view secret, const std::string& name);

// The ERROR-CODE of an answer; 0 for a success, -1 for silence.
int code_of(const std::optional<Sent>& answer);

// Attributes as requests carry them.
Client::Fill requesting_udp();
Client::Fill requesting_tcp();
Client::Fill to_peer(std::string_view peer);
Client::Fill to_channel(std::uint16_t channel, std::string_view peer);

}  // namespace yuelao::turn::test

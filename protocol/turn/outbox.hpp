#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/turn/counters.hpp"
#include "protocol/turn/reservations.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

// One datagram (or one stream message) to put on the wire: `prefix`, `payload` and
// `padding` zero octets, in this order. The views live until the end of the round:
// `prefix` in the outbox, `payload` there or in the slot it was received into.
struct Send {
  SocketRef from;
  // The local address to send from, for a listener bound to the unspecified address.
  IpAddress source;
  Endpoint to;  // of no meaning for a stream
  Bytes prefix;
  Bytes payload;
  std::uint8_t padding = 0;
  // RFC 8656 §14: rather lost than sent in fragments, by the server's IP or a router's.
  bool dont_fragment = false;
};

// A datagram from one relay of this server to another that lives in a different shard: it
// goes there inside the process, and into on_handover() of that shard's engine. The payload
// lives as a Send's does.
struct Handover {
  ShardNumber shard;
  Endpoint relay;   // where it goes to, as bound
  Endpoint source;  // the relay it comes from, as bound
  Bytes payload;
};

// A datagram of a client that has moved (RFC 8016): it came to one shard, and its allocation is in
// another. It goes there inside the process, and into on_forward() of that shard's engine. The
// payload lives as a Send's does.
struct Forward {
  ShardNumber shard;
  ClientPath path;  // listeners have the same numbers in all shards
  Bytes payload;
};

// RFC 8656 §18.7: which ports will do for a relay.
enum class Parity : std::uint8_t { any, even };

// What the world may refuse; the outcome comes back through Engine::on_relay_opened.
struct OpenRelay {
  RelayId id;
  Family family;
  Parity parity = Parity::any;
  // With an even port, the next higher one is bound too, and held under this token.
  std::optional<ReservationToken> reserve_next{};
  RelayTransport transport = RelayTransport::udp;
};
// The relay that is held under the token; its outcome comes back in the same way.
struct OpenReserved {
  RelayId id;
  ReservationToken token;
};
// Nobody may open it any more, if it is held at all.
struct CloseReserved {
  ReservationToken token;
};
// The relay's socket and port are free again. Given once for every relay that opened.
struct CloseRelay {
  RelayId id;
};
// RFC 6062 §5.2: a TCP connection from the relay's own port to `peer`, as bound. Its outcome
// comes back through Engine::on_peer_connected.
struct ConnectPeer {
  ConnectionId id;
  RelayId relay;
  Endpoint peer;
};
// It takes too long: the outcome that comes back now is a failure, unless there was one before.
struct CancelConnect {
  ConnectionId id;
};
// RFC 6062 §5.4: what follows on the stream are the client's data for this connection. The
// stream is none of the engine's any more.
struct BindPeer {
  ConnectionId id;
  SocketRef stream;
};
// The connection ends, with its client data connection where it is bound. Given once, unless
// the server said first that it had ended.
struct ClosePeer {
  ConnectionId id;
};
// What the client asks for is another shard's: its stream or association goes there with the
// message that was given last, which is to be read again, and all that came behind it.
struct MoveClient {
  SocketRef client;
  ShardNumber shard;
};
// Something an operator may want in the log. Whether the endpoint and the user are
// written depends on the log's privacy mode, which is the server's business.
struct Notice {
  enum class Event : std::uint8_t {
    allocation_created,
    allocation_deleted,
    allocation_expired,
    allocation_revoked,
    allocation_moved,  // the tuple is the new one
  };
  Event event;
  std::uint64_t session = 0;  // meaningless outside the log
  FiveTuple tuple;
  Endpoint relayed;
  std::string user;
};
using Command = std::variant<OpenRelay, OpenReserved, CloseRelay, CloseReserved, ConnectPeer,
                             CancelConnect, BindPeer, ClosePeer, MoveClient, Notice>;

// What the engine wants done, as values in the order they were decided. The server
// gives an outbox with room to every entry of the engine, carries out the sends, then
// the commands, and clears it.
class Outbox {
 public:
  // Sends before the outbox must be flushed, and the octets composed messages may
  // take. Every entry of the engine needs at most one send, handover or forward, and
  // `message_limit` octets.
  static constexpr std::size_t send_limit = 64;
  static constexpr std::size_t message_limit = 1536;

  Outbox();

  bool has_room() const {
    return sends_.size() + handovers_.size() + forwards_.size() < send_limit &&
           scratch_used_ + message_limit <= scratch_limit;
  }
  std::span<const Send> sends() const { return sends_; }
  std::span<const Handover> handovers() const { return handovers_; }
  std::span<const Forward> forwards() const { return forwards_; }
  std::span<const Command> commands() const { return commands_; }
  // Forgets everything; drops stay counted with the engine.
  void clear();
  // The same, but keeps the commands.
  void clear_sends();
  std::vector<Command> take_commands();

  // For the engine.
  MutableBytes scratch();        // message_limit octets to compose into
  Bytes keep(std::size_t size);  // the first `size` of them stay until clear()
  void send(const Send& send) { sends_.push_back(send); }
  void hand_over(const Handover& handover) { handovers_.push_back(handover); }
  void forward(const Forward& forward) { forwards_.push_back(forward); }
  void command(Command command) { commands_.push_back(std::move(command)); }

 private:
  static constexpr std::size_t scratch_limit = send_limit * message_limit;

  std::vector<Send> sends_;
  std::vector<Handover> handovers_;
  std::vector<Forward> forwards_;
  std::vector<Command> commands_;
  std::unique_ptr<std::byte[]> scratch_;
  std::size_t scratch_used_ = 0;
};

}  // namespace yuelao::turn

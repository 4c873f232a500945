#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/now.hpp"
#include "protocol/turn/outbox.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "server/connection.hpp"
#include "server/poller.hpp"
#include "server/stream_buffers.hpp"
#include "server/stream_end.hpp"

namespace yuelao::server {

// One TURN client's TCP or TLS connection: reads as much as has come at once, writes as much
// as a round brought at once, and holds memory only for what is unfinished, which is bounded
// both ways.
class StreamClient {
 public:
  // The longest message with its padding. Far above what a relay can send on without
  // fragments, and all the memory a stranger's half message can hold.
  static constexpr std::size_t message_limit = std::size_t{16} * 1024;
  // Relayed data is dropped when this much is waiting: later it is of no use to a call.
  static constexpr std::size_t relayed_limit = std::size_t{64} * 1024;
  // A client that lets even its answers pile up to here is not reading at all.
  static constexpr std::size_t queue_limit = std::size_t{96} * 1024;
  // What receive() may need.
  static constexpr std::size_t room_bytes = message_limit + StreamEnd::room_bytes;

  // Poller and buffers outlive this.
  StreamClient(Arrival arrival, turn::SocketRef ref, Poller& poller, StreamBuffers& buffers);
  StreamClient(const StreamClient&) = delete;
  StreamClient& operator=(const StreamClient&) = delete;
  ~StreamClient();

  // Errors: epoll's.
  std::error_code watch();
  const turn::ClientPath& path() const { return path_; }

  // One read: what has come and was not taken yet, in `room` (of room_bytes). Empty: nothing
  // whole yet. Nothing: the client has gone, or broke TLS.
  std::optional<Bytes> receive(MutableBytes room);
  // The beginning of a message, for the next receive(): less than message_limit. Or, before
  // depart(), all that goes with it.
  void keep(Bytes rest);

  enum class Queued : std::uint8_t { queued, dropped, overflowed };
  // Copies the message into the queue; write() sends it. On `overflowed` close it.
  Queued queue(const turn::Send& send);
  // These write what the kernel takes now, the rest when it takes more. False: it has gone.
  bool write() { return end_.flush(); }
  // Gives the connection away, with what was kept; this one is of no use any more, and the
  // poller knows nothing of it.
  Arrival depart();
  // Kept by the shard: when to close it unless it has an allocation.
  SteadyTime deadline;

 private:
  StreamBuffers& buffers_;
  StreamEnd end_;
  turn::ClientPath path_;
  ConnectionLimit::Place place_;
  std::vector<std::byte> kept_;  // of a message that is not whole
};

}  // namespace yuelao::server

#pragma once

#include <cstddef>
#include <cstdint>

#include "protocol/now.hpp"
#include "protocol/turn/bandwidth.hpp"
#include "protocol/turn/counters.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "server/connection.hpp"
#include "server/stream_end.hpp"

namespace yuelao::server {

// A client data connection and the peer data connection it is bound to (RFC 6062 §5.4): octets
// pass both ways as they are. What one side does not take is not read from the other, so that a
// slow reader slows its sender and nobody else, and no more waits here than one read brought.
// The end of one way is passed on, and leaves the other open for a while; a reset ends both.
class DataConnection {
 public:
  // Poller and buffers outlive this.
  DataConnection(turn::ConnectionId id, Arrival client, FileDescriptor peer, Poller& poller,
                 StreamBuffers& buffers);

  // Each of these may end the connection: false, then close it.
  //
  // Begins, with what the client has sent already.
  bool start(turn::Counters& counters);
  // What the poller says of either side; one read at most, into `room` of StreamEnd::room_bytes.
  bool visit(const Poller::Event& event, MutableBytes room, Now now, turn::Counters& counters);
  // Octets that have come that way since this was called last.
  std::size_t take_carried(turn::Way way);
  // Nothing more is read that goes that way, until wake(), which may end the connection.
  void rest(turn::Way way);
  bool wake(turn::Way way);
  // When one way has ended the other has until then, since it last carried something.
  bool overdue(Now now) const { return deadline_ <= now.steady; }

 private:
  // One of the two, and what has been said of it.
  struct Side {
    StreamEnd end;
    std::uint64_t turn::Counters::* octets;  // that come from it
    bool ended = false;                      // nothing more comes
    bool resting = false;                    // what comes has to wait
    std::size_t carried = 0;                 // of them, not taken notice of yet
  };
  Side& from(turn::Way way) { return way == turn::Way::to_peer ? client_ : peer_; }
  Side& to(turn::Way way) { return way == turn::Way::to_peer ? peer_ : client_; }

  bool pass(Side& from, Side& to, MutableBytes room, turn::Counters& counters);
  bool resume(Side& from, const Side& to);
  bool over() const;

  ConnectionLimit::Place place_;
  Side client_;
  Side peer_;
  std::vector<std::byte> first_;  // of the client's
  SteadyTime deadline_ = SteadyTime::max();
};

}  // namespace yuelao::server

#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/turn/counters.hpp"
#include "protocol/turn/outbox.hpp"
#include "server/poller.hpp"
#include "server/socket_address.hpp"
#include "server/udp_socket.hpp"

namespace yuelao::server {

// Puts a round's datagrams on the wire in few system calls: runs of equal size to one
// destination leave as one message the kernel cuts up (UDP_SEGMENT), and the messages of one
// socket with one sendmmsg(2), or, where the poller takes messages and none of them is a run,
// those of all sockets with its next call. Each flow keeps its order; flows have none among
// them. (A posted message whose call met an old ICMP error is sent again behind the others.)
//
// A full socket drops: a relay must not add queueing delay. Every datagram that does
// not leave is counted, as Drop::send_queue_full or Drop::send_failed.
class Sender {
 public:
  // Outlived by both.
  Sender(turn::Counters& counters, Poller& poller) : counters_{counters}, poller_{poller} {}
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // Both live until finish(). At most Outbox::send_limit between two calls of post().
  void add(UdpSocket& socket, const turn::Send& send);
  // Sends what was added, or posts it to the poller.
  void post();
  // After the poller's submit() or wait(): sees to what was posted and did not leave.
  void finish();

  // The sockets, each at least once, on which errors were noted since the last call. The span
  // lives until the next post() or finish().
  std::span<const turn::SocketRef> take_failing();

  // System calls made so far, for measurements and tests.
  std::uint64_t system_calls() const { return system_calls_; }

 private:
  static constexpr std::size_t limit = turn::Outbox::send_limit;
  // A message more than a flush can hold, for what has to be sent again singly.
  static constexpr std::size_t spare = limit;

  // What comes back with a posted message's failure.
  struct Tag {
    std::uint16_t message;
    std::uint16_t post;
  };
  struct Entry {
    UdpSocket* socket;
    const turn::Send* send;
  };
  // What one mmsghdr carries: `count` datagrams of one flow, beginning at `first`.
  struct Run {
    std::size_t first;
    std::size_t count;
  };
  // Messages of one socket.
  struct Batch {
    std::size_t first;
    std::size_t end;
  };
  // Room for a source address, a word on fragments and a segment size.
  struct alignas(cmsghdr) Control {
    std::array<std::byte, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
                              CMSG_SPACE(sizeof(std::uint16_t))>
        octets;
  };

  void sort_by_flow();
  Run run_at(std::size_t first, std::size_t end) const;
  void send_from_socket(std::size_t first, std::size_t end);
  mmsghdr& compose(Run run, std::size_t message);
  void transmit_batch(Batch batch);
  void post_batch(Batch batch);
  void transmit(Batch batch);
  void transmit_one_by_one(Run run);
  void transmit_one(const Entry& entry, const msghdr& header);
  void note_error(const Entry& entry);
  const Entry& head_of(Batch batch) const { return entries_[runs_[batch.first].first]; }
  bool holds_run(Batch batch) const;
  void drop(turn::Drop reason, std::size_t datagrams);

  turn::Counters& counters_;
  Poller& poller_;
  bool segmentation_ = true;
  std::uint16_t posts_ = 0;
  const UdpSocket* posted_ = nullptr;  // the last socket with messages at the poller
  std::size_t count_ = 0;
  std::size_t message_count_ = 0;
  std::size_t failing_count_ = 0;
  std::uint64_t system_calls_ = 0;
  std::array<Entry, limit> added_{};
  std::array<Entry, limit> entries_{};  // added_, sorted
  std::array<Run, limit + 1> runs_{};
  std::array<mmsghdr, limit + 1> headers_{};
  std::array<SocketAddress, limit + 1> destinations_{};
  std::array<Control, limit + 1> controls_{};
  std::array<iovec, 3 * limit> vectors_{};
  std::array<turn::SocketRef, limit> failing_{};
};

}  // namespace yuelao::server

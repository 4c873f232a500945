#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/turn/counters.hpp"
#include "protocol/turn/outbox.hpp"
#include "server/socket_address.hpp"
#include "server/udp_socket.hpp"

namespace yuelao::server {

// Puts a round's datagrams on the wire in few system calls: those of one socket leave
// with one sendmmsg(2), and runs of equal size to one destination as one message the
// kernel cuts up (UDP_SEGMENT). Each flow keeps its order; flows have none among them.
//
// A full socket drops: a relay must not add queueing delay. Every datagram that does
// not leave is counted, as Drop::send_queue_full or Drop::send_failed.
class Sender {
 public:
  // Outlived by `counters`.
  explicit Sender(turn::Counters& counters) : counters_{counters} {}
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // Both live until flush(). At most Outbox::send_limit a flush.
  void add(UdpSocket& socket, const turn::Send& send);
  void flush();

  // System calls made so far, for measurements and tests.
  std::uint64_t system_calls() const { return system_calls_; }

 private:
  static constexpr std::size_t limit = turn::Outbox::send_limit;
  // A message more than a flush can hold, for what has to be sent again singly.
  static constexpr std::size_t spare = limit;

  struct Entry {
    UdpSocket* socket;
    const turn::Send* send;
  };
  // What one mmsghdr carries: `count` datagrams of one flow, beginning at `first`.
  struct Run {
    std::size_t first;
    std::size_t count;
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
  void transmit_batch(std::size_t messages);
  void transmit(UdpSocket& socket, std::size_t messages);
  void transmit_one_by_one(UdpSocket& socket, Run run);
  void transmit_one(UdpSocket& socket, const msghdr& header);
  void drop(turn::Drop reason, std::size_t datagrams);

  turn::Counters& counters_;
  bool segmentation_ = true;
  std::size_t count_ = 0;
  std::uint64_t system_calls_ = 0;
  std::array<Entry, limit> added_{};
  std::array<Entry, limit> entries_{};  // added_, sorted
  std::array<Run, limit + 1> runs_{};
  std::array<mmsghdr, limit + 1> headers_{};
  std::array<SocketAddress, limit + 1> destinations_{};
  std::array<Control, limit + 1> controls_{};
  std::array<iovec, 3 * limit> vectors_{};
};

}  // namespace yuelao::server

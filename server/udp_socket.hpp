#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <system_error>

#include "protocol/endpoint.hpp"
#include "protocol/turn/peer_error.hpp"
#include "server/datagram_pool.hpp"
#include "server/file_descriptor.hpp"
#include "server/merge_trial.hpp"

namespace yuelao::server {

// At most as many as are worth a look at a time.
struct PeerErrors {
  std::array<turn::PeerError, 8> errors{};
  std::size_t count = 0;
  std::span<const turn::PeerError> list() const { return {errors.data(), count}; }
};

// A non-blocking, unconnected UDP socket. An IPv6 one takes IPv6 alone.
class UdpSocket {
 public:
  // Errors: the errno of socket(2), setsockopt(2) or bind(2).
  //
  // A listener shares its port with those of the other shards (SO_REUSEPORT), has a
  // large receive buffer, and tells the address each datagram was sent to when it is
  // bound to the unspecified address.
  static std::expected<UdpSocket, std::error_code> open_listener(const Endpoint& local);
  // A relay has its port for itself.
  static std::expected<UdpSocket, std::error_code> open_relay(const Endpoint& local);

  int descriptor() const { return descriptor_.value(); }
  // With the port the kernel chose, where 0 was asked for.
  const Endpoint& local() const { return local_; }
  bool wildcard() const { return local_.address.unspecified(); }

  // What is waiting, at most `limit` messages and no more than the pool has slots for.
  // Errors that ICMP messages caused are passed over: they are about one peer.
  std::span<const Received> receive(DatagramPool& pool, std::size_t limit);

  // The same, for a socket that is asked again while it is readable: it asks for as many as came
  // lately, since to find out that there is no more costs a good part of a datagram.
  std::span<const Received> receive_likely(DatagramPool& pool, std::size_t limit);

  // What a poller has received from this socket.
  Received read(RawMessage& message);

  // ICMP errors of what a relay has sent wait in a queue of their own (IP_RECVERR), and epoll
  // reports the socket until they are taken. Besides, each makes one call on the socket fail,
  // whatever that call is about: which is how they are noticed without asking.
  bool errors_waiting() const { return errors_waiting_; }
  // Of a call that failed.
  void note_error() { errors_waiting_ = true; }
  // The oldest of them, no more than a few at once.
  PeerErrors take_errors();

  // Kept by the shard: its poller tells nothing of the socket, and it is on the shard's list.
  bool disarmed = false;
  bool listed = false;

  // A relay that nobody has yet takes nothing in: what comes to it would wait for whoever
  // gets it. False: the kernel refuses.
  bool ignore_datagrams() const;
  bool accept_datagrams() const;

  // Whether IPv4 datagrams may be sent in fragments from now on: they may, until told
  // otherwise. False: the kernel refuses. IPv6 is told with each datagram.
  enum class Fragments : std::uint8_t { allowed, forbidden };
  bool set_fragments(Fragments fragments) const;

  // Datagrams the kernel threw away since the last call because the receive buffer
  // was full (SO_RXQ_OVFL); known only after the next one is received.
  std::uint32_t take_overflows();

 private:
  UdpSocket(FileDescriptor descriptor, const Endpoint& local)
      : descriptor_{std::move(descriptor)}, local_{local} {}

  void read_control(msghdr& header, Received& received);
  void judge_merging(std::size_t messages, std::size_t datagrams);

  FileDescriptor descriptor_;
  Endpoint local_;
  MergeTrial merging_;
  bool errors_waiting_ = false;
  std::size_t likely_ = 1;
  std::uint32_t overflows_ = 0;  // the kernel's running count
  std::uint32_t overflows_taken_ = 0;
};

}  // namespace yuelao::server

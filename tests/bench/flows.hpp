#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>

#include "tests/bench/udp_socket.hpp"

namespace yuelao::bench {

// A client's way through the forwarder.
struct Flow {
  std::uint32_t number;
  UdpSocket relay;
  KernelAddress client;
  KernelAddress peer;
};

// All of them, and the socket they come to. A client that says hello gets a flow.
class Flows {
 public:
  // `merge`: its sockets may receive several datagrams as one (UDP_GRO).
  Flows(const Endpoint& at, bool merge)
      : address_{at.address}, merge_{merge}, listener_{at, merge} {}

  const UdpSocket& listener() const { return listener_; }
  const Flow& operator[](std::uint32_t number) const { return flows_[number]; }
  // Null: nobody knows it.
  const Flow* of(const KernelAddress& client) const;
  // Answers a hello of a client that nobody knows. Null: it is none.
  const Flow* welcome(const KernelAddress& client, Bytes datagram);

 private:
  IpAddress address_;
  bool merge_;
  UdpSocket listener_;
  std::deque<Flow> flows_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_client_;
};

}  // namespace yuelao::bench

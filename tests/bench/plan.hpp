#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "protocol/endpoint.hpp"

namespace yuelao::bench {

using namespace std::chrono_literals;

// Which way packets go. Each crosses the relay once, and between clients twice: in by the
// one's and out by the other's.
enum class Direction : std::uint8_t {
  to_peer,
  to_client,
  both,
  between_clients,
  binding,  // to the server and back: Bindings, and nothing is allocated
};

// What is around a packet between client and server.
enum class Envelope : std::uint8_t {
  channel_data,
  indication,  // Send and Data
  bare,        // nothing, and no TURN: the server is `forwarder` (beside this file)
};

// When packets leave.
enum class Pattern : std::uint8_t {
  turns,    // flows take turns, `burst` packets each, `rate` in all
  meeting,  // each flow is a participant's: audio and video as browsers send them
};

// One measurement: what is set up, what is then sent, and when it is over at the latest.
struct Plan {
  Endpoint server;       // the server's listener
  IpAddress local;       // clients and peers are sockets on this address
  pid_t server_pid = 0;  // whose processor time and memory are read
  std::string user;
  std::string password;
  Transport transport = Transport::udp;  // between clients and server

  std::uint32_t allocations = 100;
  // Peer sockets, shared out evenly: one an allocation, or few as with a conference server.
  std::uint32_t peers = 100;
  // Allocations being set up at the same time.
  std::uint32_t handshakes = 32;

  // Without its envelope. Of Pattern::turns.
  std::uint32_t packet_bytes = 200;
  Direction direction = Direction::both;
  Envelope envelope = Envelope::channel_data;
  Pattern pattern = Pattern::turns;
  // Packets that leave back to back on one flow, handed to the kernel as one buffer
  // (UDP_SEGMENT), the way a network card's receive offload delivers a frame of video.
  // 1: packets of different flows take turns.
  std::uint32_t burst = 1;
  // Packets to send, all flows and directions together. 0: only set up.
  std::uint64_t packets = 0;
  // Packets a second. 0: as fast as `window` allows.
  std::uint64_t rate = 0;
  // Packets on their way at the same time; keeps an unpaced load from being mostly loss.
  std::uint64_t window = 256;

  // The end of each phase, however far it came.
  std::chrono::seconds limit = 30s;
};

}  // namespace yuelao::bench

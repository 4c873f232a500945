#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/endpoint.hpp"
#include "protocol/random.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/socket_ref.hpp"

// What surrounds the fuzzed engine.
namespace yuelao::turn {

inline IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

// Legal, forbidden and own peers, of both families.
inline const std::array<Endpoint, 8> peers = {
    Endpoint{address("1.1.1.1"), 1},     Endpoint{address("1.1.1.1"), 2},
    Endpoint{address("9.9.9.9"), 9},     Endpoint{address("10.0.0.1"), 80},
    Endpoint{address("5.5.5.5"), 50000}, Endpoint{address("5.5.5.5"), 22},
    Endpoint{address("2600::1"), 1},     Endpoint{address("::1"), 1},
};

inline constexpr std::array families = {Family::ipv4, Family::ipv6};

// Where behaviour discovery is served: a listener each, in this order.
inline const std::array<Endpoint, 4> sites = {
    Endpoint{address("5.5.5.5"), 3478},
    Endpoint{address("5.5.5.5"), 3479},
    Endpoint{address("5.5.5.6"), 3478},
    Endpoint{address("5.5.5.6"), 3479},
};
// The answer to a Binding with nothing in it but FINGERPRINT, by RFC 5780 and IPv4.
inline constexpr std::size_t bare_answer_bytes = 76;

inline Options fuzz_options() {
  Options options;
  options.nonce_key = Secret{"0123456789abcdef0123456789abcdef"};
  options.credentials.users = {{"alice", Secret{"wonderland"}}, {"bob", Secret{"builder"}}};
  options.relay_addresses = {{address("5.5.5.5"), address("10.9.9.9")},
                             {address("2600:5::5"), address("2600:5::5")}};
  options.peers.own_addresses = {address("5.5.5.5"), address("10.9.9.9"), address("2600:5::5")};
  options.behavior_discovery.addresses = {{address("5.5.5.5"), address("5.5.5.5")},
                                          {address("5.5.5.6"), address("5.5.5.6")}};
  options.peers.allow_ports = {{1, 2}};
  options.limits.new_peers_per_allocation = 6;
  options.limits.allocations = 4;
  options.limits.permissions_per_allocation = 2;
  options.limits.channels_per_allocation = 2;
  options.tcp_relays = true;
  options.mobility = true;
  options.limits.peer_connections = 4;
  options.limits.peer_connections_per_user = 3;
  options.limits.peer_connections_per_allocation = 2;
  return options;
}

class CountingRandom final : public Random {
 public:
  void fill(MutableBytes out) override {
    for (auto& octet : out) octet = static_cast<std::byte>(next_++);
  }

 private:
  unsigned next_ = 0;
};

// Two of the five clients come by TCP.
inline ClientPath path(unsigned client) {
  const Endpoint from{address("7.7.7.7"), static_cast<std::uint16_t>(1000 + client)};
  const Endpoint to{address("5.5.5.5"), 3478};
  if (client >= 3) return {SocketRef::stream(client, 0), {Transport::tcp, from, to}};
  if (client == 2) return {SocketRef::association(client, 0), {Transport::dtls, from, to}};
  return {SocketRef::listener(0), {Transport::udp, from, to}};
}

}  // namespace yuelao::turn

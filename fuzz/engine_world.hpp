#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/endpoint.hpp"
#include "protocol/random.hpp"
#include "protocol/stun/codecs.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/outbox.hpp"
#include "protocol/turn/socket_ref.hpp"

// What surrounds the fuzzed engine.
namespace yuelao::turn {

inline IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

// Legal, forbidden and own peers, of both families.
inline const std::array<Endpoint, 16> peers = {
    Endpoint{address("1.1.1.1"), 1},
    Endpoint{address("1.1.1.1"), 2},
    Endpoint{address("9.9.9.9"), 9},
    Endpoint{address("10.0.0.1"), 80},
    Endpoint{address("5.5.5.5"), 50000},
    Endpoint{address("5.5.5.5"), 22},
    Endpoint{address("2600::1"), 1},
    Endpoint{address("::1"), 1},
    // What a forbidden address may be spelt as.
    Endpoint{address("64:ff9b::10.0.0.1"), 80},
    Endpoint{address("2002:a00:1::"), 80},
    Endpoint{address("::10.0.0.1"), 80},
    Endpoint{address("2600:5::5"), 50000},
    Endpoint{address("2600:5::5"), 22},
    Endpoint{address("10.9.9.9"), 50000},
    Endpoint{address("5.5.5.5"), 50001},
    Endpoint{address("5.5.5.5"), 3478},
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
  options.peers.allow_ports = {{1, 9}};
  options.limits.new_peers_per_allocation = 3;
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

inline constexpr unsigned client_count = 5;

// Two of them come by TCP.
inline ClientPath path(unsigned client) {
  const Endpoint from{address("7.7.7.7"), static_cast<std::uint16_t>(1000 + client)};
  const Endpoint to{address("5.5.5.5"), 3478};
  if (client >= 3) return {SocketRef::stream(client, 0), {Transport::tcp, from, to}};
  if (client == 2) return {SocketRef::association(client, 0), {Transport::dtls, from, to}};
  return {SocketRef::listener(0), {Transport::udp, from, to}};
}

// Whose five-tuple the message goes to. Empty: nobody's.
inline std::optional<FiveTuple> client_of(const Send& send) {
  for (unsigned i = 0; i < client_count; ++i) {
    const auto client = path(i);
    if (client.socket != send.from) continue;
    if (client.tuple.transport == Transport::tcp || client.tuple.client == send.to) {
      return client.tuple;
    }
  }
  return std::nullopt;
}

// RFC 7983 §7: not ChannelData.
inline bool stun_like(Bytes message) {
  return !message.empty() && std::to_integer<unsigned>(message[0]) < 4;
}

// XOR-PEER-ADDRESS, which is a Data indication's first attribute. Its payload stands beside it, so
// that the message is not whole.
inline Endpoint peer_in(Bytes indication) {
  const auto attribute = indication.subspan(stun::header_bytes);
  const auto value = attribute.subspan(4, load_u16(attribute.subspan(2)));
  return stun::XorAddressCodec::decode(value, indication.subspan(4, 16)).value();
}

}  // namespace yuelao::turn

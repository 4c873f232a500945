#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "protocol/endpoint.hpp"
#include "protocol/random.hpp"
#include "protocol/turn/options.hpp"

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
  options.limits.allocations = 4;
  options.limits.permissions_per_allocation = 2;
  options.limits.channels_per_allocation = 2;
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

}  // namespace yuelao::turn

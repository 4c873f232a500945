#pragma once

#include <array>

#include "protocol/endpoint.hpp"
#include "protocol/stun/attribute_values.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

// One of the transport addresses that RFC 5780 tests go to and are answered from.
struct DiscoverySite {
  Endpoint bound;
  Endpoint advertised;
  SocketRef listener{};  // that has it, alone or among others
};

// RFC 5780 §6: A1 and A2, each with P1 and P2, of every family and transport that has them.
class DiscoverySites {
 public:
  explicit DiscoverySites(const BehaviorDiscovery& wanted);

  // A listener bound to `local`; to the unspecified address, it has all sites on its port that
  // no other one has.
  void add(Transport transport, SocketRef listener, const Endpoint& local);

  // Table 1 of §6.1: the site that `at` is, with the other address or the other port where
  // `change` says so. Null where `at` is none, or one of its three neighbours has no listener:
  // then nothing of the RFC is served there (§6).
  const DiscoverySite* find(Transport transport, const Endpoint& at,
                            stun::ChangeRequest change = {}) const;

 private:
  // The four of a transport and family. Bit 1 of the index is the address, bit 0 the port.
  struct Square {
    std::array<DiscoverySite, 4> sites{};
    std::array<bool, 4> served{};
  };

  // Of UDP and TCP, IPv4 and IPv6. TLS shares TCP's ports here, and §6 wants it to have others.
  std::array<Square, 4> squares_{};
};

}  // namespace yuelao::turn

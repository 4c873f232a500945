#pragma once

#include <cstdint>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/ip_range.hpp"
#include "protocol/turn/options.hpp"

namespace yuelao::turn {

// Which addresses a client may reach: closed by default to everything that is not a plain
// public unicast address, in every spelling. Without it a relay is a door into the
// network it stands in (169.254.169.254, 10/8, the server's own loopback).
class PeerPolicy {
 public:
  enum class Verdict : std::uint8_t {
    allowed,
    own,        // this server's address: legal only as a live relay (RelayDirectory)
    forbidden,  // answered with 403
  };

  explicit PeerPolicy(const PeerRules& rules) : rules_{rules} {}

  // In this order: allowed by name, our own, denied by mode, name or nature, allowed.
  Verdict judge(const IpAddress& peer) const;

 private:
  PeerRules rules_;
};

// The special-purpose and multicast blocks that no peer may be in unless allowed by name.
const std::vector<IpRange>& special_purpose_ranges();

}  // namespace yuelao::turn

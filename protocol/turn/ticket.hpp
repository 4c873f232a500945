#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/random.hpp"
#include "protocol/secret.hpp"

namespace yuelao::turn {

// What a MOBILITY-TICKET (RFC 8016 §3.3) says to the server that made it: which allocation it is
// for, and which of its tickets it is. The relays name the shard (RelayDirectory), wherever the
// allocation has moved since; the session tells it from another one on the same port.
struct Ticket {
  std::uint64_t session = 0;
  std::uint32_t sequence = 0;  // the newest of the session is good
  // Where its relays are bound: an IPv4 one, an IPv6 one, or both of a dual allocation.
  std::array<std::optional<Endpoint>, 2> relays{};

  friend bool operator==(const Ticket&, const Ticket&) = default;
};

// The attribute's value: a nonce, the ticket under AES-256-GCM, the tag. Of one size for every
// ticket, and small enough for the shortest path MTU (RFC 8016 §3.1.2).
using SealedTicket = std::array<std::byte, 16 + 36 + 16>;

// Seals tickets and opens them again (RFC 8016 §5). Each is under a key of its own, made from the
// server's and 128 random bits that stand in front, so that no number of tickets wears the key
// out and nothing has to be rotated: rotation would only take a long call's ticket away.
class TicketSealer {
 public:
  // `key` is the server's own; shards with the same open each other's tickets.
  explicit TicketSealer(const Secret& key);

  SealedTicket seal(const Ticket& ticket, Random& random) const;
  // Empty for what seal() under this key did not make.
  std::optional<Ticket> open(Bytes sealed) const;

 private:
  Secret key_;
};

}  // namespace yuelao::turn

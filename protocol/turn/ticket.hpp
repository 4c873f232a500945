#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "protocol/bytes.hpp"
#include "protocol/secret.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

// What a MOBILITY-TICKET (RFC 8016 §3.3) says to the server that made it: which allocation it is
// for, in which shard, and which of its tickets it is.
struct Ticket {
  // Sequence numbers stay below this, and begin anew.
  static constexpr std::uint32_t sequences = 1U << 24U;

  std::uint64_t session = 0;
  std::uint32_t sequence = 0;  // the newest of the session is good
  ShardNumber shard = 0;

  friend bool operator==(const Ticket&, const Ticket&) = default;
};

// The attribute's value: the tag and the ticket under AES-256-SIV. Of one size for every ticket,
// and small enough for the shortest path MTU (RFC 8016 §3.1.2). No octet is 0 and there are no
// more of them: coturn's client keeps tickets as C strings of at most 32.
using SealedTicket = std::array<std::byte, 16 + 16>;

// Seals tickets and opens them again (RFC 8016 §5). No two tickets are the same, so that nothing
// has to be drawn; and no number of them wears the key out, so that nothing has to be rotated:
// rotation would only take a long call's ticket away.
class TicketSealer {
 public:
  // `key` is the server's own; shards with the same open each other's tickets.
  explicit TicketSealer(const Secret& key);

  SealedTicket seal(const Ticket& ticket) const;
  // Empty for what seal() under this key did not make.
  std::optional<Ticket> open(Bytes sealed) const;

 private:
  Secret key_;
};

}  // namespace yuelao::turn

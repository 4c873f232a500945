#include "protocol/turn/ticket.hpp"

#include <algorithm>
#include <string>

#include "protocol/stun/integrity.hpp"
#include "protocol/stun/siv.hpp"

namespace yuelao::turn {
namespace {

// An octet to try with, the sequence number in three, the session, the shard, three of nothing.
using Plain = std::array<std::byte, 16>;

Plain encode(const Ticket& ticket, std::uint32_t attempt) {
  Plain plain{};
  const MutableBytes out{plain};
  store_u32(out, attempt << 24U | ticket.sequence);
  store_u64(out.subspan(4), ticket.session);
  plain[12] = std::byte{ticket.shard};
  return plain;
}

Ticket decode(Bytes plain) {
  return {.session = load_u64(plain.subspan(4)),
          .sequence = load_u32(plain) % Ticket::sequences,
          .shard = std::to_integer<ShardNumber>(plain[12])};
}

std::string key_from(const Secret& key) {
  std::string result;
  for (const auto* const half : {"MOBILITY-TICKET 1", "MOBILITY-TICKET 2"}) {
    result += as_text(stun::hmac_sha256(key.bytes(), as_bytes(half)));
  }
  return result;
}

}  // namespace

TicketSealer::TicketSealer(const Secret& key) : key_{key_from(key)} {}

// One attempt in eight has a 0 in it.
SealedTicket TicketSealer::seal(const Ticket& ticket) const {
  SealedTicket sealed{};
  for (std::uint32_t attempt = 0; attempt < 256; ++attempt) {
    stun::seal(key_.bytes(), encode(ticket, attempt), sealed);
    if (std::ranges::find(sealed, std::byte{0}) == sealed.end()) break;
  }
  return sealed;
}

std::optional<Ticket> TicketSealer::open(Bytes sealed) const {
  if (sealed.size() != SealedTicket{}.size()) return std::nullopt;
  Plain plain{};
  if (!stun::unseal(key_.bytes(), sealed, plain)) return std::nullopt;
  return decode(plain);
}

}  // namespace yuelao::turn

#include "protocol/turn/ticket.hpp"

#include <algorithm>
#include <string>

#include "protocol/stun/integrity.hpp"
#include "protocol/stun/one_time_cipher.hpp"

namespace yuelao::turn {
namespace {

constexpr std::size_t nonce_bytes = 16;
constexpr std::size_t plain_bytes = 36;

using Plain = std::array<std::byte, plain_bytes>;

stun::OneTimeKey key_of_ticket(const Secret& key, Bytes nonce) {
  return stun::hmac_sha256(key.bytes(), nonce);
}

// Session, sequence, then both relays with zeros where there is none: no relay has port 0.
Plain encode(const Ticket& ticket) {
  Plain plain{};
  const MutableBytes out{plain};
  store_u64(out, ticket.session);
  store_u32(out.subspan(8), ticket.sequence);
  for (const auto& relay : ticket.relays) {
    if (!relay) continue;
    const auto address = std::as_bytes(relay->address.octets());
    const auto at = out.subspan(relay->address.family() == Family::ipv4 ? 12 : 18);
    std::ranges::copy(address, at.begin());
    store_u16(at.subspan(address.size()), relay->port);
  }
  return plain;
}

template <std::size_t size>
std::array<std::uint8_t, size> octets_of(Bytes bytes) {
  std::array<std::uint8_t, size> octets{};
  std::ranges::transform(bytes.first(size), octets.begin(),
                         [](std::byte octet) { return std::to_integer<std::uint8_t>(octet); });
  return octets;
}

Ticket decode(Bytes plain) {
  Ticket ticket{.session = load_u64(plain), .sequence = load_u32(plain.subspan(8))};
  if (const auto port = load_u16(plain.subspan(16)); port != 0) {
    ticket.relays[0] = Endpoint{IpAddress::v4(octets_of<4>(plain.subspan(12))), port};
  }
  if (const auto port = load_u16(plain.subspan(34)); port != 0) {
    ticket.relays[1] = Endpoint{IpAddress::v6(octets_of<16>(plain.subspan(18))), port};
  }
  return ticket;
}

}  // namespace

TicketSealer::TicketSealer(const Secret& key)
    : key_{std::string{as_text(stun::hmac_sha256(key.bytes(), as_bytes("MOBILITY-TICKET")))}} {}

SealedTicket TicketSealer::seal(const Ticket& ticket, Random& random) const {
  SealedTicket sealed{};
  const auto nonce = MutableBytes{sealed}.first(nonce_bytes);
  random.fill(nonce);
  stun::seal(key_of_ticket(key_, nonce), encode(ticket), MutableBytes{sealed}.subspan(nonce_bytes));
  return sealed;
}

std::optional<Ticket> TicketSealer::open(Bytes sealed) const {
  if (sealed.size() != SealedTicket{}.size()) return std::nullopt;
  Plain plain{};
  const auto key = key_of_ticket(key_, sealed.first(nonce_bytes));
  if (!stun::unseal(key, sealed.subspan(nonce_bytes), plain)) return std::nullopt;
  return decode(plain);
}

}  // namespace yuelao::turn

#pragma once

#include <expected>
#include <optional>

#include "protocol/endpoint.hpp"
#include "protocol/stun/error_code.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/turn/outbox.hpp"
#include "protocol/turn/relay_directory.hpp"
#include "protocol/turn/request.hpp"

namespace yuelao::turn {

// Which relays an Allocate request asks for: what steps 3 to 9 of RFC 8656 §7.2 find out
// before anything changes.
struct AllocateParameters {
  // The relay that is held under this token; then the rest says nothing.
  std::optional<ReservationToken> token{};
  Family family = Family::ipv4;  // of the relay, or of a dual allocation's first
  bool dual = false;             // one of the other family as well
  // Both were asked for, and only `family` is to be had: for ADDRESS-ERROR-CODE.
  std::optional<stun::ErrorCode> twin_refused{};
  Parity parity = Parity::any;
  bool reserve_next = false;  // the port above an even one
  RelayTransport transport = RelayTransport::udp;
  bool mobile = false;  // with a ticket (RFC 8016 §3.1.2)

  // What the server has to give.
  struct Offer {
    const RelayDirectory& directory;
    bool tcp_relays;
  };
  // `client` is how the request came. Errors: the step's refusal.
  static std::expected<AllocateParameters, Refusal> parse(const stun::Message& message,
                                                          const FiveTuple& client, Offer offer);
};

// Whether the client's address is the end of a Teredo (RFC 4380) or 6to4 (RFC 3056) tunnel, which
// would carry a datagram to and fro between itself and this server (RFC 8656 §21.4).
bool comes_from_tunnel(const IpAddress& client);

}  // namespace yuelao::turn

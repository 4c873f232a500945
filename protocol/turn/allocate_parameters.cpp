#include "protocol/turn/allocate_parameters.hpp"

#include <algorithm>
#include <array>

#include "protocol/ip_range.hpp"
#include "protocol/stun/attributes.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;

constexpr std::uint8_t tcp_protocol = 6;
constexpr std::uint8_t udp_protocol = 17;
constexpr std::size_t family_value_bytes = 4;

// Step 3, and RFC 6062 §5.1. Where it is off, TCP is 442 like every other transport that is not
// relayed.
std::expected<RelayTransport, Refusal> choose_transport(const stun::Message& message,
                                                        Transport client, bool tcp_relays) {
  const auto transport = message.get(attribute::requested_transport);
  if (!transport) return std::unexpected{Refusal{ErrorCode::bad_request}};
  if (*transport == udp_protocol) return RelayTransport::udp;
  if (*transport != tcp_protocol || !tcp_relays) {
    return std::unexpected{Refusal{ErrorCode::unsupported_transport_protocol}};
  }
  bool possible = client == Transport::tcp || client == Transport::tls;
  for (const auto type : {attribute::dont_fragment.type, attribute::even_port.type,
                          attribute::reservation_token.type}) {
    possible &= !message.has(type);
  }
  if (!possible) return std::unexpected{Refusal{ErrorCode::bad_request}};
  return RelayTransport::tcp;
}

// Step 7. The RFC gives a client that does not ask an IPv4 relay; meeting servers run
// their relays as keep-address-family: an IPv6 client that says nothing gets IPv6
// where there is a relay for it.
std::expected<Family, Refusal> choose_family(const stun::Message& message, Family client,
                                             const RelayDirectory& directory) {
  const auto value = message.value_of(attribute::requested_address_family.type);
  if (value && value->size() != family_value_bytes) {
    return std::unexpected{Refusal{ErrorCode::bad_request}};
  }
  const auto asked = message.get(attribute::requested_address_family);
  const bool follows = !value && client == Family::ipv6 && directory.serves(Family::ipv6);
  const auto family = asked ? *asked : follows ? Family::ipv6 : Family::ipv4;
  // 440 is also for a family that is neither IPv4 nor IPv6.
  if ((value && !asked) || !directory.serves(family)) {
    return std::unexpected{Refusal{ErrorCode::address_family_not_supported}};
  }
  return family;
}

// Step 9. Who asks for both families can use either, so that a server without IPv4 gives it
// the IPv6 relay: step 7's 440 is for those who leave the family open.
std::expected<AllocateParameters, Refusal> choose_both(const RelayDirectory& directory) {
  const bool v4 = directory.serves(Family::ipv4);
  const bool v6 = directory.serves(Family::ipv6);
  if (!v4 && !v6) return std::unexpected{Refusal{ErrorCode::address_family_not_supported}};
  AllocateParameters parameters{.family = v4 ? Family::ipv4 : Family::ipv6, .dual = v4 && v6};
  if (!parameters.dual) parameters.twin_refused = ErrorCode::address_family_not_supported;
  return parameters;
}

// Steps 6, 7 and 9.
std::expected<AllocateParameters, Refusal> choose_families(const stun::Message& message,
                                                           Family client,
                                                           const RelayDirectory& directory) {
  if (!message.has(attribute::additional_address_family.type)) {
    const auto family = choose_family(message, client, directory);
    if (!family) return std::unexpected{family.error()};
    return AllocateParameters{.family = *family};
  }
  // §18.11: IPv6 is the only valid value.
  const bool valid = message.get(attribute::additional_address_family) == Family::ipv6;
  if (!valid || message.has(attribute::requested_address_family.type)) {
    return std::unexpected{Refusal{ErrorCode::bad_request}};
  }
  return choose_both(directory);
}

// RFC 8016 §3.1.2: a client asks with an empty ticket; empty: 400.
std::optional<bool> asks_for_ticket(const stun::Message& message) {
  const auto ticket = message.value_of(attribute::mobility_ticket.type);
  if (ticket && !ticket->empty()) return std::nullopt;
  return ticket.has_value();
}

// Step 5: with a token there is nothing left to choose. Whether it is valid is seen last.
std::expected<AllocateParameters, Refusal> use_token(const stun::Message& message) {
  const auto token = message.get(attribute::reservation_token);
  for (const auto type : {attribute::even_port.type, attribute::requested_address_family.type,
                          attribute::additional_address_family.type}) {
    if (!token || message.has(type)) return std::unexpected{Refusal{ErrorCode::bad_request}};
  }
  return AllocateParameters{.token = *token};
}

// Step 8. A second port to be reserved (the R bit) is one, and not one of each family.
std::expected<std::optional<stun::EvenPort>, Refusal> even_port_of(const stun::Message& message) {
  const auto even_port = message.get(attribute::even_port);
  if (!even_port && even_port.error() == stun::AttributeError::missing) return std::nullopt;
  const bool dual = message.has(attribute::additional_address_family.type);
  if (!even_port || (even_port->reserve_next && dual)) {
    return std::unexpected{Refusal{ErrorCode::bad_request}};
  }
  return *even_port;
}

std::expected<AllocateParameters, Refusal> parse_relays(const stun::Message& message, Family client,
                                                        const RelayDirectory& directory) {
  if (message.has(attribute::reservation_token.type)) return use_token(message);
  auto parameters = choose_families(message, client, directory);
  if (!parameters) return parameters;
  const auto even_port = even_port_of(message);
  if (!even_port) return std::unexpected{even_port.error()};
  if (*even_port) {
    parameters->parity = Parity::even;
    parameters->reserve_next = (*even_port)->reserve_next;
  }
  return parameters;
}

}  // namespace

std::expected<AllocateParameters, Refusal> AllocateParameters::parse(const stun::Message& message,
                                                                     const FiveTuple& client,
                                                                     Offer offer) {
  const auto transport = choose_transport(message, client.transport, offer.tcp_relays);
  if (!transport) return std::unexpected{transport.error()};
  const auto mobile = asks_for_ticket(message);
  if (!mobile) return std::unexpected{Refusal{ErrorCode::bad_request}};
  auto parameters = parse_relays(message, client.client.address.family(), offer.directory);
  if (!parameters) return parameters;
  parameters->transport = *transport;
  parameters->mobile = *mobile;
  return parameters;
}

bool comes_from_tunnel(const IpAddress& client) {
  static const std::array tunnels{IpRange::parse("2001::/32").value(),
                                  IpRange::parse("2002::/16").value()};
  return std::ranges::any_of(tunnels, [&](const IpRange& range) { return range.contains(client); });
}

}  // namespace yuelao::turn

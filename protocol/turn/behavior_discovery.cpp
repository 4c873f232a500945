// RFC 5780 §6.1: a Binding whose answer takes the way that its client asks for.

#include <optional>

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::AttributeError;
using stun::ErrorCode;

// Below are other people's services; no NAT gives a client one of their ports.
constexpr std::uint16_t first_response_port = 1024;

struct DiscoveryWish {
  stun::ChangeRequest change;
  std::optional<std::uint16_t> response_port;
  bool padding = false;

  // Empty for what is answered with 400.
  static std::optional<DiscoveryWish> parse(const stun::Message& message);
};

std::optional<DiscoveryWish> DiscoveryWish::parse(const stun::Message& message) {
  DiscoveryWish wish;
  const auto change = message.get(attribute::change_request);
  const auto port = message.get(attribute::response_port);
  if (change) wish.change = *change;
  if (port) wish.response_port = *port;
  wish.padding = message.has(attribute::padding.type);
  // §7.5: a long answer to a port that did not ask for it would be an attack.
  if (wish.padding && message.has(attribute::response_port.type)) return std::nullopt;
  if (wish.response_port && *wish.response_port < first_response_port) return std::nullopt;
  const bool malformed = change == std::unexpected{AttributeError::malformed} ||
                         port == std::unexpected{AttributeError::malformed};
  return malformed ? std::nullopt : std::optional{wish};
}

}  // namespace

// Where it came to is a site, by UDP or TCP. Over TCP the attributes of a request are not
// understood, so that there the answer takes its usual way.
Routed Engine::discover_behavior(const Request& request) const {
  const auto& [transport, client, server] = request.path.tuple;
  const auto wish = DiscoveryWish::parse(request.message);
  if (!wish) return {Refusal{ErrorCode::bad_request}, request.path};

  const auto* const origin = discovery_.find(transport, server, wish->change);
  const auto* const other =
      discovery_.find(transport, server, {.change_ip = true, .change_port = true});
  Discovered discovered{.origin = origin->advertised, .other = other->advertised};
  if (wish->padding) discovered.padded_to = request.message.bytes().size();

  Routed routed{Success{.mapped = client, .discovered = discovered}, request.path};
  if (transport != Transport::udp) return routed;
  routed.way.socket = origin->listener;
  routed.way.tuple.server = origin->bound;
  if (wish->response_port) routed.way.tuple.client.port = *wish->response_port;
  return routed;
}

}  // namespace yuelao::turn

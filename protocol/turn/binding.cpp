// RFC 8489 §2, the Binding method, and its RFC 3489 form for clients without the
// magic cookie (§11; `stun` as BigBlueButton's own check runs it).

#include <array>
#include <span>

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;

// CHANGE-REQUEST with no flag set asks for nothing, and classic clients send it so.
// With a flag it asks for an answer from another address, which is RFC 5780. The last two
// are that RFC's too.
constexpr std::array read_or_ignored = {
    attribute::username.type,
    attribute::message_integrity.type,
    attribute::message_integrity_sha256.type,
    attribute::password_algorithm.type,
    attribute::userhash.type,
    attribute::realm.type,
    attribute::nonce.type,
    attribute::change_request.type,
    attribute::response_port.type,
    attribute::padding.type,
};
constexpr std::size_t ignored_count = read_or_ignored.size() - 2;

bool asks_for_other_address(const stun::Message& message) {
  const auto value = message.value_of(attribute::change_request.type);
  return value && (value->size() != 4 || load_u32(*value) != 0);
}

// Where RFC 5780 is served a datagram's answer may take another way; elsewhere, over a stream
// and for classic clients it may not.
stun::UnknownAttributes unknown_in(const stun::Message& message, bool other_ways) {
  if (other_ways) return stun::unknown_required(message, read_or_ignored);
  auto unknown = stun::unknown_required(message, std::span{read_or_ignored}.first<ignored_count>());
  if (unknown.empty() && asks_for_other_address(message)) {
    unknown.types[unknown.count++] = attribute::change_request.type;
  }
  return unknown;
}

}  // namespace

// Never authenticated: a Binding tells a client its own address and nothing else, and
// browsers send one on every TURN port before anything.
Routed Engine::binding(const Request& request) const {
  const auto& [transport, client, server] = request.path.tuple;
  const bool classic = request.message.transaction_id().classic();
  const bool discovery = !classic && discovery_.find(transport, server) != nullptr;

  auto unknown = unknown_in(request.message, discovery && transport == Transport::udp);
  // RFC 3489 §11.2.10 knows no padding: of an odd number the last is named twice.
  if (classic && unknown.count % 2 != 0) {
    unknown.types[unknown.count] = unknown.types[unknown.count - 1];
    ++unknown.count;
  }
  if (!unknown.empty()) {
    return {Refusal{stun::ErrorCode::unknown_attribute, unknown}, request.path};
  }
  if (discovery) return discover_behavior(request);
  return {Success{.mapped = client}, request.path};
}

}  // namespace yuelao::turn

// RFC 8489 §2, the Binding method, and its RFC 3489 form for clients without the
// magic cookie (§11; `stun` as BigBlueButton's own check runs it).

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;

// CHANGE-REQUEST with no flag set asks for nothing, and classic clients send it so.
// With a flag it asks for an answer from another address, which is RFC 5780.
constexpr std::array ignored = {
    attribute::username.type,
    attribute::message_integrity.type,
    attribute::message_integrity_sha256.type,
    attribute::password_algorithm.type,
    attribute::userhash.type,
    attribute::realm.type,
    attribute::nonce.type,
    attribute::change_request.type,
};

bool asks_for_other_address(const stun::Message& message) {
  const auto value = message.value_of(attribute::change_request.type);
  return value && (value->size() != 4 || load_u32(*value) != 0);
}

}  // namespace

// Never authenticated: a Binding tells a client its own address and nothing else, and
// browsers send one on every TURN port before anything.
Answer Engine::binding(const Request& request) const {
  auto unknown = stun::unknown_required(request.message, ignored);
  if (unknown.empty() && asks_for_other_address(request.message)) {
    unknown.types[unknown.count++] = attribute::change_request.type;
  }
  // RFC 3489 §11.2.10 knows no padding: of an odd number the last is named twice.
  if (request.message.transaction_id().classic() && unknown.count % 2 != 0) {
    unknown.types[unknown.count] = unknown.types[unknown.count - 1];
    ++unknown.count;
  }
  if (!unknown.empty()) return Refusal{stun::ErrorCode::unknown_attribute, unknown};
  return Success{.mapped = request.path.tuple.client};
}

}  // namespace yuelao::turn

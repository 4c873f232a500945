#include "protocol/turn/request.hpp"

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;

// RFC 3489 §11.2.1: classic clients read MAPPED-ADDRESS and want to know where the
// answer comes from. With one address, CHANGED-ADDRESS is that address too.
void add_classic_addresses(stun::MessageWriter& writer, const Endpoint& mapped,
                           const Endpoint& server) {
  writer.add(attribute::mapped_address, mapped)
      .add(attribute::source_address, server)
      .add(attribute::changed_address, server);
}

void add(stun::MessageWriter& writer, const Success& success, const ReplyTo& to,
         const ReplyContext& context) {
  if (success.relayed) writer.add(attribute::xor_relayed_address, *success.relayed);
  if (success.second_relayed) writer.add(attribute::xor_relayed_address, *success.second_relayed);
  if (success.refused_family) {
    const auto& [family, code] = *success.refused_family;
    writer.add(attribute::address_error_code,
               stun::AddressErrorCode{
                   .family = family, .code = static_cast<std::uint16_t>(code), .reason = {}});
  }
  if (success.lifetime) writer.add(attribute::lifetime, *success.lifetime);
  if (success.reservation) writer.add(attribute::reservation_token, *success.reservation);
  if (!success.mapped) return;
  if (to.id.classic()) {
    add_classic_addresses(writer, *success.mapped, context.tuple.server);
  } else {
    writer.add(attribute::xor_mapped_address, *success.mapped);
  }
}

// No reason phrase: it may be empty (RFC 8489 §14.8), and every octet in an answer to
// a forged request is one for the attacker.
void add(stun::MessageWriter& writer, const Refusal& refusal, const ReplyContext& context) {
  const auto code = static_cast<std::uint16_t>(refusal.code);
  writer.add(attribute::error_code, stun::ErrorCodeValue{.code = code, .reason = {}});
  if (refusal.code == ErrorCode::unauthenticated || refusal.code == ErrorCode::stale_nonce) {
    writer.add(attribute::realm, std::string_view{context.realm})
        .add(attribute::nonce, std::string_view{context.nonce.data(), context.nonce.size()});
  }
  if (refusal.code == ErrorCode::unknown_attribute) {
    writer.add(attribute::unknown_attributes, refusal.unknown);
  }
}

}  // namespace

Bytes encode_reply(const ReplyTo& to, const Answer& answer, const ReplyContext& context,
                   MutableBytes out) {
  if (std::holds_alternative<Deferred>(answer)) return {};
  const auto* refusal = std::get_if<Refusal>(&answer);
  const auto message_class = refusal != nullptr ? stun::Class::error : stun::Class::success;

  stun::MessageWriter writer{out, to.method, message_class, to.id};
  if (refusal != nullptr) {
    add(writer, *refusal, context);
  } else {
    add(writer, std::get<Success>(answer), to, context);
  }
  if (context.software) writer.add(attribute::software, std::string_view{*context.software});
  if (context.key != nullptr) writer.add_integrity(*context.key);
  if (to.fingerprint) writer.add_fingerprint();
  return writer.finish();
}

}  // namespace yuelao::turn

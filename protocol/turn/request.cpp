#include "protocol/turn/request.hpp"

#include <algorithm>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/turn/authentication.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;

// RFC 3489 §11.2.1: classic clients read MAPPED-ADDRESS and want to know where the
// answer comes from. With one address, CHANGED-ADDRESS is that address too. That RFC knows IPv4
// alone: over IPv6 nobody reads the others, and they would make the longest answer there is to a
// request of 20 octets with a forged source.
void add_classic_addresses(stun::MessageWriter& writer, const Endpoint& mapped,
                           const Endpoint& server) {
  writer.add(attribute::mapped_address, mapped);
  if (mapped.address.family() == Family::ipv6) return;
  writer.add(attribute::source_address, server).add(attribute::changed_address, server);
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
  if (success.connection) writer.add(attribute::connection_id, *success.connection);
  if (success.ticket) writer.add(attribute::mobility_ticket, Bytes{*success.ticket});
  if (!success.mapped) return;
  if (to.id.classic()) {
    add_classic_addresses(writer, *success.mapped, context.tuple.server);
  } else {
    writer.add(attribute::xor_mapped_address, *success.mapped);
  }
  if (success.discovered) {
    writer.add(attribute::mapped_address, *success.mapped)
        .add(attribute::response_origin, success.discovered->origin)
        .add(attribute::other_address, success.discovered->other);
  }
}

// Fills the message up to `size` octets; only FINGERPRINT comes behind. False: it is that long
// already.
bool pad(stun::MessageWriter& writer, const ReplyTo& to, std::size_t size) {
  constexpr std::size_t padding_header_bytes = 4;
  constexpr std::size_t fingerprint_bytes = 8;
  const auto rest = padding_header_bytes + (to.fingerprint ? fingerprint_bytes : 0);
  if (writer.size() + rest > size) return false;
  writer.add_zeros(attribute::padding.type, size - writer.size() - rest);
  return true;
}

void sign(stun::MessageWriter& writer, const ReplyTo& to, const stun::LongTermKey& key) {
  if (to.sha256) {
    writer.add_integrity_sha256(key.bytes());
  } else {
    writer.add_integrity(key.bytes());
  }
}

// RFC 8489 §9.2.4. What RFC 5389 does not know of it, a client may ignore.
void add_challenge(stun::MessageWriter& writer, std::string_view realm, const NonceText& nonce) {
  constexpr stun::Attribute<Bytes> password_algorithms{attribute::password_algorithms.type};
  writer.add(attribute::realm, realm)
      .add(attribute::nonce, std::string_view{nonce.data(), nonce.size()})
      .add(password_algorithms, Authentication::offered_algorithms());
}

// RFC 8489 §10: first the address of the client's own family, then the other. TLS clients
// that know the RFC are told the name to look for in the other server's certificate; it
// means nothing to the rest, who ignore it.
void add_alternate(stun::MessageWriter& writer, const AlternateServer& alternate,
                   const FiveTuple& tuple) {
  const auto add_if = [&](bool own) {
    for (auto server : alternate.addresses) {
      const bool same = server.address.family() == tuple.client.address.family();
      if (server.port == 0) server.port = tuple.server.port;
      if (same == own) writer.add(attribute::alternate_server, server);
    }
  };
  add_if(true);
  add_if(false);
  if (alternate.domain.empty()) return;
  writer.add(attribute::alternate_domain, std::string_view{alternate.domain});
}

// No reason phrase: it may be empty (RFC 8489 §14.8), and every octet in an answer to
// a forged request is one for the attacker.
void add(stun::MessageWriter& writer, const Refusal& refusal, const ReplyContext& context) {
  const auto code = static_cast<std::uint16_t>(refusal.code);
  writer.add(attribute::error_code, stun::ErrorCodeValue{.code = code, .reason = {}});
  if (context.nonce) add_challenge(writer, context.realm, *context.nonce);
  if (refusal.code == ErrorCode::try_alternate) {
    add_alternate(writer, context.alternate, context.tuple);
  }
  if (refusal.code == ErrorCode::unknown_attribute) {
    writer.add(attribute::unknown_attributes, refusal.unknown);
  }
}

}  // namespace

ReplyTo ReplyTo::from(const stun::Message& message) {
  return {.method = message.method(),
          .id = message.transaction_id(),
          .fingerprint = message.has_fingerprint(),
          .sha256 = message.has(attribute::password_algorithm.type)};
}

bool challenges(const Answer& answer) {
  const auto* refusal = std::get_if<Refusal>(&answer);
  return refusal != nullptr &&
         (refusal->code == ErrorCode::unauthenticated || refusal->code == ErrorCode::stale_nonce);
}

std::optional<std::size_t> padded_to(const Answer& answer) {
  const auto* success = std::get_if<Success>(&answer);
  if (success == nullptr || !success->discovered) return std::nullopt;
  return success->discovered->padded_to;
}

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
  if (context.key != nullptr) sign(writer, to, *context.key);
  if (const auto size = padded_to(answer)) {
    if (!pad(writer, to, std::min(*size, out.size()))) return {};
  }
  if (to.fingerprint) writer.add_fingerprint();
  return writer.finish();
}

}  // namespace yuelao::turn

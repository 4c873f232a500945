#pragma once

#include <vector>

#include "fuzz/engine_world.hpp"
#include "fuzz/script.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/turn/reservations.hpp"

// Parts of the requests that the engine's fuzzer writes.
namespace yuelao::turn {

// What may be right by accident, and is signed.
inline void add_anything(stun::MessageWriter& writer, const stun::LongTermKey& key,
                         fuzz::Script& script) {
  namespace attribute = stun::attribute;
  const auto maybe = [&](stun::AttributeType type) {
    if (script.choose(2) == 0) {
      writer.add(stun::Attribute<Bytes>{type}, script.take(script.choose(36)));
    }
  };
  maybe(attribute::password_algorithms.type);
  maybe(attribute::password_algorithm.type);
  maybe(attribute::userhash.type);
  maybe(attribute::message_integrity.type);
  maybe(attribute::message_integrity_sha256.type);
  writer.add_integrity_sha256(key.bytes(), 16 + 4 * script.choose(5));
}

// Combinations that are refused too.
inline void add_wishes(stun::MessageWriter& writer, const std::vector<ReservationToken>& tokens,
                       fuzz::Script& script) {
  namespace attribute = stun::attribute;
  const auto wishes = script.choose(32);
  writer.add(attribute::requested_transport,
             static_cast<std::uint8_t>((wishes & 16U) != 0 ? 6 : 17));
  if ((wishes & 1U) != 0) {
    writer.add(attribute::requested_address_family, families.at(script.choose(2)));
  }
  if ((wishes & 2U) != 0) writer.add(attribute::additional_address_family, Family::ipv6);
  if ((wishes & 4U) != 0) writer.add(attribute::even_port, {script.choose(2) == 0});
  if ((wishes & 8U) != 0 && !tokens.empty()) {
    const auto newest = tokens.size() - 1 - script.choose(4) % tokens.size();
    writer.add(attribute::reservation_token, tokens.at(newest));
  }
}

}  // namespace yuelao::turn

#pragma once

#include <array>
#include <cstdint>

#include "fuzz/script.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"

namespace yuelao::fuzz {

// A Binding with the attributes of RFC 5780 in any combination, whole or not, in `buffer`.
inline Bytes discovery_request(Script& script, MutableBytes buffer) {
  namespace attribute = stun::attribute;
  stun::MessageWriter writer{buffer, stun::Method::binding, stun::Class::request,
                             stun::TransactionId::from_random(std::array<std::byte, 12>{})};
  const auto wishes = script.choose(16);
  // 1, 257, ... 1793: on both sides of 1024.
  const auto port = static_cast<std::uint16_t>(256 * script.choose(8) + 1);
  if ((wishes & 1U) != 0) {
    writer.add(stun::Attribute<Bytes>{attribute::change_request.type},
               script.take(script.choose(2) == 0 ? 4 : script.choose(9)));
  }
  if ((wishes & 2U) != 0) writer.add(attribute::response_port, port);
  if ((wishes & 4U) != 0) {
    writer.add_zeros(attribute::padding.type, std::size_t{8} * script.choose(256));
  }
  if ((wishes & 8U) != 0) writer.add_fingerprint();
  return writer.finish();
}

}  // namespace yuelao::fuzz

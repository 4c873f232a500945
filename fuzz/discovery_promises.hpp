#pragma once

#include <algorithm>

#include "fuzz/engine_world.hpp"
#include "fuzz/promise.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/turn/outbox.hpp"

namespace yuelao::turn {

// What the engine promises of each answer to a Binding with attributes of RFC 5780.
inline void check_discovered(const Send& send, const ClientPath& from, Bytes request) {
  namespace attribute = stun::attribute;
  fuzz::promise(send.prefix.size() <= std::max(request.size(), bare_answer_bytes),
                "no attribute makes an answer longer than that to a bare Binding, or its request");
  const auto asked = stun::Message::parse(request).value();
  const auto answer = stun::Message::parse(send.prefix).value();
  fuzz::promise(!answer.has(attribute::padding.type) || send.prefix.size() <= request.size(),
                "an answer with PADDING is no longer than its request");
  fuzz::promise(send.to.address == from.tuple.client.address, "the answer goes to who asked");
  const bool moved = send.to.port != from.tuple.client.port;
  fuzz::promise(
      !moved || (asked.get(attribute::response_port) == send.to.port && send.to.port > 1023),
      "RESPONSE-PORT alone moves an answer, and to no port below 1024");
  if (send.from.kind != SocketRef::Kind::listener) return;
  fuzz::promise(send.source == sites.at(send.from.index).address, "the address is the socket's");
  const bool told = answer.has(attribute::response_origin.type);
  fuzz::promise(!told || answer.get(attribute::response_origin) == sites.at(send.from.index),
                "RESPONSE-ORIGIN is where the answer comes from");
}

}  // namespace yuelao::turn

#include "protocol/edge/route.hpp"

#include <algorithm>

namespace yuelao::edge {

Route route(NameOwner owner, const ClientHello& hello) {
  if (owner == NameOwner::turn) return Route::here;
  if (owner == NameOwner::web) return Route::web;
  const bool for_turn = std::ranges::any_of(hello.protocols, [](const auto& protocol) {
    return protocol == "stun.turn" || protocol == "stun.nat-discovery";
  });
  return for_turn || hello.protocols.empty() ? Route::here : Route::web;
}

}  // namespace yuelao::edge

#include "protocol/edge/route.hpp"

#include <doctest/doctest.h>

#include <string_view>

namespace yuelao::edge::route_test {

TEST_CASE("who answers on a shared port is decided by the name, then by the protocols") {
  struct Row {
    std::string_view what;
    NameOwner owner;
    std::vector<std::string> protocols;
    Route route;
  };
  const Row rows[] = {
      {"a browser's turns:", NameOwner::shared, {}, Route::here},
      {"a browser's page", NameOwner::shared, {"h2", "http/1.1"}, Route::web},
      {"a browser's WebSocket", NameOwner::shared, {"http/1.1"}, Route::web},
      {"RFC 7443", NameOwner::shared, {"stun.turn"}, Route::here},
      {"RFC 7443", NameOwner::shared, {"stun.nat-discovery"}, Route::here},
      {"TURN among others", NameOwner::shared, {"http/1.1", "stun.turn"}, Route::here},
      {"a name of TURN's alone", NameOwner::turn, {"h2"}, Route::here},
      {"another name", NameOwner::web, {}, Route::web},
      {"another name's TURN", NameOwner::web, {"stun.turn"}, Route::web},
  };
  for (const auto& [what, owner, protocols, wanted] : rows) {
    CAPTURE(what);
    CHECK(route(owner, {.server_name = {}, .protocols = protocols}) == wanted);
  }
}

}  // namespace yuelao::edge::route_test

#pragma once

#include <chrono>

namespace yuelao {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::sys_seconds;

// The only way time enters the protocol: read once a round by the server, moved
// by hand in tests. `steady` orders every lifetime; `wall` serves only what other
// machines also read: the expiry in a TURN REST user name and a nonce's age.
struct Now {
  SteadyTime steady;
  WallTime wall;
};

}  // namespace yuelao

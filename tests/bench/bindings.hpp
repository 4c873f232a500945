#pragma once

#include <vector>

#include "tests/bench/handshakes.hpp"
#include "tests/bench/load.hpp"
#include "tests/bench/plan.hpp"

namespace yuelao::bench {

// Asks the server for Bindings (RFC 8489 §2), `plan.packets` in all and `plan.window` at a
// time, by turns from every caller. What comes back counts as delivered to clients.
LoadResult load_bindings(const Plan& plan, std::vector<Caller>& callers);

}  // namespace yuelao::bench

#pragma once

#include "protocol/random.hpp"
#include "server/probe/link.hpp"
#include "server/probe/probe.hpp"

namespace yuelao::probe {

// Tries one leg, from connecting to closing its relays, until `deadline` at most and a
// second more. `random` is used meanwhile.
Leg try_leg(const Options& options, const Place& place, Random& random, SteadyTime deadline);

}  // namespace yuelao::probe

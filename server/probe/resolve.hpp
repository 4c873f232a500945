#pragma once

#include <vector>

#include "protocol/client/uri.hpp"
#include "protocol/now.hpp"
#include "server/probe/link.hpp"
#include "server/probe/report.hpp"

namespace yuelao::probe {

struct Resolved {
  std::vector<Place> places;  // in the order a client would try them; none: no address
  std::vector<Step> steps;    // how they were found
};

// Where a URI leads (RFC 5928; RFC 8489 §8.1 for "stun" and "stuns"), 8 places at most.
// Blocks until `deadline` at most.
Resolved resolve(const client::Uri& uri, SteadyTime deadline);

}  // namespace yuelao::probe

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

// Where a URI leads, 8 places at most. As browsers do, it takes RFC 5928 §3's transports and
// the host's A and AAAA records, and asks for no NAPTR or SRV.
// Blocks until `deadline` at most.
Resolved resolve(const client::Uri& uri, SteadyTime deadline);

}  // namespace yuelao::probe

#pragma once

#include <iosfwd>

#include "tests/bench/handshakes.hpp"
#include "tests/bench/load.hpp"
#include "tests/bench/plan.hpp"
#include "tests/bench/process_usage.hpp"

namespace yuelao::bench {

// Everything one run has seen. `compare` reads it as JSON.
struct Report {
  HandshakeResult set_up;
  HandshakeResult release;
  LoadResult load;
  ProcessUsage before;    // nobody is connected
  ProcessUsage idle;      // every channel is bound, nothing is sent
  ProcessUsage loaded;    // after the last packet
  ProcessUsage released;  // after the last allocation's end
};

// One JSON object. docs/performance.md explains the members.
void write_json(const Report& report, const Plan& plan, std::ostream& out);

}  // namespace yuelao::bench

#include "server/probe/probe.hpp"

#include <algorithm>

#include "server/probe/leg.hpp"
#include "server/probe/resolve.hpp"
#include "server/probe/waiting.hpp"
#include "server/random.hpp"

namespace yuelao::probe {

Report probe(const Options& options) {
  using namespace std::chrono_literals;
  const auto began = steady_now();
  const auto deadline = began + options.patience;
  Report report;
  report.uri = options.uri;
  if (options.progress && !options.uri.address) {
    options.progress("looking up " + options.uri.host);
  }
  auto resolved = resolve(options.uri, std::min(deadline, began + 8s));
  report.resolution = std::move(resolved.steps);
  server::SystemRandom random;
  for (const auto& place : resolved.places) {
    report.legs.push_back(try_leg(options, place, random, deadline));
  }
  report.took = std::chrono::floor<std::chrono::milliseconds>(steady_now() - began);
  return report;
}

}  // namespace yuelao::probe

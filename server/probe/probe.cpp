#include "server/probe/probe.hpp"

#include <algorithm>

#include "server/probe/leg.hpp"
#include "server/probe/resolve.hpp"
#include "server/probe/waiting.hpp"
#include "server/random.hpp"

namespace yuelao::probe {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_resolution = 10s;

}  // namespace

Report probe(const Options& options) {
  const auto began = steady_now();
  const auto deadline = began + options.patience;
  Report report;
  report.uri = options.uri;
  if (options.progress && !options.uri.address) {
    options.progress("looking up " + options.uri.host);
  }
  server::SystemRandom random;
  auto resolved = resolve(options.uri, system_resolver(), random,
                          std::min(deadline, began + longest_resolution));
  report.resolution = std::move(resolved.steps);
  report.lookups = std::move(resolved.lookups);
  report.targets = std::move(resolved.targets);
  for (const auto& place : resolved.places) {
    report.legs.push_back(try_leg(options, place, random, deadline));
  }
  report.took = std::chrono::floor<std::chrono::milliseconds>(steady_now() - began);
  return report;
}

}  // namespace yuelao::probe

#include <doctest/doctest.h>

#include <algorithm>

#include "server/check/kernel.hpp"

namespace yuelao::check::check_kernel_test {
namespace {

using probe::Step;
using probe::Verdict;

constexpr std::uint64_t four_mib = 4UL << 20;

// A machine on which nothing is short.
Kernel roomy() {
  return {.receive_buffer = four_mib,
          .send_buffer = four_mib,
          .descriptors = 1'048'576,
          .local_ports = {{32768, 60999}},
          .tracked = 5,
          .longest_tracked = 262'144};
}

Step step(const std::string& name, const config::Config& config, const Kernel& kernel) {
  const auto steps = judge_kernel(config, kernel);
  const auto found = std::ranges::find(steps, name, &Step::name);
  REQUIRE(found != steps.end());
  return *found;
}

bool says(const Step& step, std::string_view text) {
  return step.sentences.find(text) != std::string::npos;
}

TEST_CASE("a machine with room is well") {
  for (const auto& step : judge_kernel({}, roomy())) {
    CAPTURE(step.sentences);
    CHECK(step.verdict == Verdict::works);
  }
}

TEST_CASE("small socket buffers are told with the settings that widen them") {
  auto kernel = roomy();
  kernel.send_buffer = 212'992;
  const auto buffers = step("buffers", {}, kernel);
  CHECK(buffers.verdict == Verdict::attention);
  CHECK(says(buffers, "208 KiB only"));
  CHECK(says(buffers, "net.core.wmem_max to 4194304"));
}

TEST_CASE("buffers that a container hides are not judged") {
  auto kernel = roomy();
  kernel.receive_buffer.reset();
  CHECK(step("buffers", {}, kernel).verdict == Verdict::skipped);
}

TEST_CASE("descriptors are held against what the limits allow") {
  config::Config config;
  config.turn.limits.allocations = 1000;
  config.connections = 200;
  auto kernel = roomy();
  kernel.descriptors = 1264;
  CHECK(step("descriptors", config, kernel).verdict == Verdict::works);
  kernel.descriptors = 1263;
  const auto few = step("descriptors", config, kernel);
  CHECK(few.verdict == Verdict::attention);
  CHECK(says(few, "raise the limit to 1264"));
}

TEST_CASE("a server that does not run has no descriptors to judge") {
  auto kernel = roomy();
  kernel.descriptors.reset();
  const auto steps = judge_kernel({}, kernel);
  CHECK(std::ranges::find(steps, "descriptors", &Step::name) == steps.end());
}

TEST_CASE("a handful of relay ports is few") {
  config::Config config;
  config.relay.first_port = 50000;
  config.relay.last_port = 50098;
  CHECK(step("relay ports", config, roomy()).verdict == Verdict::attention);
  config.relay.last_port = 50099;
  const auto ports = step("relay ports", config, roomy());
  CHECK(ports.verdict == Verdict::works);
  CHECK(says(ports, "100 relay ports"));
  CHECK(says(ports, "shared with whatever asks for any port (32768 to 60999)"));
}

TEST_CASE("relay ports above those for everybody are shared with nobody") {
  config::Config config;
  config.relay.first_port = 61000;
  CHECK_FALSE(says(step("relay ports", config, roomy()), "shared"));
}

TEST_CASE("a firewall's table that fills up is told before it is full") {
  auto kernel = roomy();
  kernel.longest_tracked = 1000;
  kernel.tracked = 899;
  CHECK(step("connection tracking", {}, kernel).verdict == Verdict::works);
  kernel.tracked = 900;
  CHECK(step("connection tracking", {}, kernel).verdict == Verdict::attention);
}

}  // namespace
}  // namespace yuelao::check::check_kernel_test

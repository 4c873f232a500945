#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "server/check/parts.hpp"
#include "server/http_client.hpp"
#include "server/sandbox/sandbox.hpp"

namespace yuelao::check {
namespace {

using server::Sandbox;
using server::SandboxLayer;

// An answer to /metrics takes milliseconds.
constexpr std::chrono::seconds answer_time{3};

// Where this machine reaches what listens on `at`.
Endpoint within(Endpoint at) {
  if (at.address.unspecified()) {
    at.address = at.address.family() == Family::ipv4 ? IpAddress::v4({127, 0, 0, 1})
                                                     : IpAddress::parse("::1").value();
  }
  return at;
}

// Nothing where the metrics do not name all layers.
std::optional<Sandbox> sandbox_in(std::string_view metrics) {
  Sandbox sandbox;
  for (std::size_t i = 0; i < server::sandbox_layers; ++i) {
    const auto layer = server::name(static_cast<SandboxLayer>(i));
    const auto sample = fmt::format("\nyuelao_sandbox{{layer=\"{}\"}} ", layer);
    const auto at = metrics.find(sample);
    if (at == std::string_view::npos) return std::nullopt;
    sandbox.active[i] = metrics.substr(at + sample.size()).starts_with('1');
    if (sandbox.active[i]) continue;
    sandbox.missing.append(sandbox.missing.empty() ? "" : ", ").append(layer);
  }
  return sandbox;
}

Step judge(const Sandbox& sandbox, bool wanted) {
  if (sandbox.missing.empty()) {
    return {"sandbox", Verdict::works, "The server's sandbox holds: " + sandbox.names() + "."};
  }
  if (!sandbox.names().empty()) {
    return {"sandbox", Verdict::attention,
            "Layers of the server's sandbox are missing: " + sandbox.missing +
                ". Its log says why, in the line `sandbox`."};
  }
  if (wanted) {
    return {"sandbox", Verdict::attention,
            "The server has no sandbox, unlike its configuration: restart it."};
  }
  return {"sandbox", Verdict::attention,
          "The server has no sandbox, as `sandbox` is off: take that out when it has served its "
          "purpose, and restart."};
}

}  // namespace

Step check_sandbox(const config::Config& config) {
  const auto skipped = [](const std::string& why) {
    return Step{"sandbox", Verdict::skipped,
                "Which layers of its sandbox hold the server did not say (" + why +
                    "): its log does, in the line `sandbox`."};
  };
  if (!config.metrics) return skipped("`metrics` is off");
  const auto metrics = server::http_get(within(*config.metrics), "/metrics", answer_time);
  if (!metrics) return skipped(metrics.error());
  const auto sandbox = sandbox_in(*metrics);
  if (!sandbox) return skipped("its `metrics` do not have them");
  return judge(*sandbox, config.sandbox);
}

}  // namespace yuelao::check

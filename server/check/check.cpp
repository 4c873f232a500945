#include "server/check/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "server/check/kernel.hpp"
#include "server/check/parts.hpp"

namespace yuelao::check {
namespace {

void append(Steps steps, Report& report) {
  std::ranges::move(steps, std::back_inserter(report.steps));
}

bool any_open(const Steps& listeners) {
  return std::ranges::any_of(listeners,
                             [](const Step& step) { return step.verdict != Verdict::failed; });
}

}  // namespace

bool Report::works() const {
  return std::ranges::none_of(steps,
                              [](const Step& step) { return step.verdict == Verdict::failed; });
}

Report check(const config::Config& config, const server::IceServer& ice, const Options& options) {
  Report report;
  auto listeners = check_listeners(config);
  const bool runs = any_open(listeners.steps);
  append(std::move(listeners.steps), report);
  append(check_addresses(config, ice.urls, options), report);
  if (runs) {
    auto urls = check_urls(config, ice, options);
    append(std::move(urls.steps), report);
    append(check_certificate(config, urls.reports), report);
    if (const auto door = open_door(urls.reports)) {
      append(check_peers(config, ice, *door, options), report);
    }
  } else {
    report.steps.push_back(
        {"url", Verdict::skipped, "The URLs were not tried, as the server does not run."});
    append(check_certificate(config, {}), report);
  }
  if (config.web_server) append(check_web_server(*config.web_server, options), report);
  if (runs) report.steps.push_back(check_sandbox(config));
  append(judge_kernel(config, read_kernel(listeners.process)), report);
  return report;
}

std::string to_text(const Report& report) {
  const auto count = [&](Verdict verdict) {
    return std::ranges::count(report.steps, verdict, &Step::verdict);
  };
  const auto failed = count(Verdict::failed);
  const auto look = count(Verdict::attention);
  auto text = probe::to_text(report.steps) + "\n";
  if (failed > 0) return text + fmt::format("Not all is well: {} FAILED.\n", failed);
  if (look > 0) return text + fmt::format("It works, with {} to look at.\n", look);
  return text + "All is well.\n";
}

std::string to_json(const Report& report) {
  using Json = nlohmann::ordered_json;
  Json json{{"works", report.works()}};
  json["checks"] = Json::array();
  for (const auto& step : report.steps) {
    json["checks"].push_back(
        {{"check", step.name}, {"verdict", probe::name(step.verdict)}, {"text", step.sentences}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace yuelao::check

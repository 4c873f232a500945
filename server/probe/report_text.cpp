#include <fmt/format.h>
#include <algorithm>

#include "server/probe/explain.hpp"
#include "server/probe/report.hpp"

namespace yuelao::probe {
namespace {

std::string_view mark(Verdict verdict) {
  switch (verdict) {
    case Verdict::works:
      return "ok    ";
    case Verdict::attention:
      return "look  ";
    case Verdict::failed:
      return "FAILED";
    case Verdict::skipped:
      return "-     ";
  }
  return {};
}

std::string title(const Leg& leg) {
  return fmt::format("{} to {}", spoken(leg.transport), leg.server.to_string());
}

std::string_view outcome(Verdict verdict) {
  switch (verdict) {
    case Verdict::works:
      return "works";
    case Verdict::attention:
      return "works, with something to look at";
    case Verdict::failed:
      return "does not work";
    case Verdict::skipped:
      return "not tried";
  }
  return {};
}

std::string summary(const Report& report) {
  const auto count = [&](auto... verdicts) {
    return std::ranges::count_if(
        report.legs, [=](const Leg& leg) { return ((leg.verdict == verdicts) || ...); });
  };
  const auto working = count(Verdict::works, Verdict::attention);
  const auto tried = working + count(Verdict::failed);
  if (tried == 0) return "Nothing could be tried.\n";
  if (working == tried) return tried == 1 ? "It works.\n" : "Everything works.\n";
  if (working == 0) return "Nothing works.\n";
  return fmt::format("{} of {} ways to the server work.\n", working, tried);
}

}  // namespace

std::string to_text(const std::vector<Step>& steps) {
  std::string text;
  for (const auto& step : steps) {
    text += fmt::format("  {}  {}\n", mark(step.verdict), step.sentences);
  }
  return text;
}

std::string to_text(const Report& report) {
  auto text = report.uri.to_string() + "\n" + to_text(report.resolution);
  for (const auto& leg : report.legs) {
    text += fmt::format("\n{}: {}\n{}", title(leg), outcome(leg.verdict), to_text(leg.steps));
    if (!leg.software.empty()) text += fmt::format("          It calls itself {}.\n", leg.software);
  }
  return text + "\n" + summary(report);
}

}  // namespace yuelao::probe

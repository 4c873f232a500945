#include "server/probe/report.hpp"

#include <algorithm>

namespace yuelao::probe {

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::works:
      return "works";
    case Verdict::attention:
      return "attention";
    case Verdict::failed:
      return "failed";
    case Verdict::skipped:
      return "skipped";
  }
  return "";
}

std::string_view name(DataTest::Way way) {
  return way == DataTest::Way::between_relays ? "between relays" : "from a socket";
}

std::string_view name(client::Dependence dependence) {
  using enum client::Dependence;
  switch (dependence) {
    case unknown:
      return "unknown";
    case none:
      return "endpoint-independent";
    case address:
      return "address-dependent";
    case address_and_port:
      return "address and port-dependent";
  }
  return "";
}

std::string_view name(client::DnsAnswer::Outcome outcome) {
  using enum client::DnsAnswer::Outcome;
  switch (outcome) {
    case found:
      return "found";
    case none:
      return "none";
    case no_name:
      return "no such name";
    case silent:
      return "no answer";
    case refused:
      return "refused";
    case malformed:
      return "malformed";
  }
  return "";
}

void Leg::add(Step step) {
  const auto is = [&](Verdict wanted) {
    return std::ranges::any_of(steps, [=](const Step& one) { return one.verdict == wanted; });
  };
  steps.push_back(std::move(step));
  verdict = Verdict::skipped;
  for (const auto one : {Verdict::works, Verdict::attention, Verdict::failed}) {
    if (is(one)) verdict = one;
  }
}

bool Report::works() const {
  const auto failed = [](const auto& one) { return one.verdict == Verdict::failed; };
  const auto skipped = [](const Leg& leg) { return leg.verdict == Verdict::skipped; };
  return !std::ranges::all_of(legs, skipped) && std::ranges::none_of(legs, failed) &&
         std::ranges::none_of(resolution, failed);
}

}  // namespace yuelao::probe

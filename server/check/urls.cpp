#include <fmt/format.h>

#include <algorithm>

#include "protocol/client/uri.hpp"
#include "server/check/parts.hpp"
#include "server/probe/explain.hpp"
#include "server/probe/probe.hpp"

namespace yuelao::check {
namespace {

using client::Uri;
using probe::Leg;

// A leg that gets no answer takes 5.5 seconds.
constexpr std::chrono::seconds patience{10};

Verdict worst_of(const probe::Report& report) {
  if (!report.works()) return Verdict::failed;
  const auto looks = [](const auto& one) { return one.verdict == Verdict::attention; };
  const bool look =
      std::ranges::any_of(report.legs, looks) || std::ranges::any_of(report.resolution, looks);
  return look ? Verdict::attention : Verdict::works;
}

std::vector<Step> steps_of(const probe::Report& report) {
  auto steps = report.resolution;
  for (const auto& leg : report.legs) steps.insert(steps.end(), leg.steps.begin(), leg.steps.end());
  return steps;
}

// What keeps the report from being better than `verdict`.
std::string reasons(const probe::Report& report, Verdict verdict) {
  std::string text;
  for (const auto& step : steps_of(report)) {
    if (step.verdict == verdict) text += (text.empty() ? "" : " ") + step.sentences;
  }
  return text;
}

Step summary(const std::string& url, const probe::Report& report) {
  const auto verdict = worst_of(report);
  if (verdict != Verdict::works) return {"url", verdict, url + ": " + reasons(report, verdict)};
  const auto fastest =
      std::ranges::min(report.legs, {}, [](const Leg& leg) { return leg.round_trip; });
  const auto took = fastest.round_trip.value_or(std::chrono::microseconds{0});
  return {"url", verdict, fmt::format("{} works ({}).", url, probe::milliseconds(took))};
}

// Nothing of the server answered, as where the way to it is at fault.
bool unanswered(const probe::Report& report) {
  return std::ranges::any_of(steps_of(report), [](const Step& step) {
    const bool early = step.name == "resolve" || step.name == "connect" || step.name == "binding";
    return early && step.verdict == Verdict::failed;
  });
}

bool is_for(const config::Listen& listen, const Uri& uri) {
  if (listen.port != uri.port) return false;
  if (uri.secure()) return !over_udp(listen.transport);
  return listen.transport == uri.transport.value_or(Transport::udp);
}

// The same service without the public name or address.
std::optional<Uri> at_its_listener(Uri uri, const config::Config& config) {
  const auto listen = std::ranges::find_if(
      config.listen, [&](const config::Listen& one) { return is_for(one, uri); });
  if (listen == config.listen.end()) return std::nullopt;
  const auto& relays = config.turn.relay_addresses;
  const auto relay = std::ranges::find_if(relays, [&](const turn::RelayAddress& one) {
    return !uri.address || one.bound.family() == uri.address->family();
  });
  if (!listen->address && relay == relays.end()) return std::nullopt;
  uri.address = listen->address ? *listen->address : relay->bound;
  return uri;
}

// Whether the URL leads to an address that this machine does not have.
bool leads_elsewhere(const probe::Report& report, const server::Machine& machine) {
  return std::ranges::any_of(report.legs, [&](const Leg& leg) {
    return std::ranges::find(machine.interfaces, leg.server.address) == machine.interfaces.end();
  });
}

class UrlCheck {
 public:
  UrlCheck(const config::Config& config, const server::IceServer& ice, const Options& options)
      : config_{config}, options_{options}, credentials_{ice.username, ice.credential} {}

  // Adds a step for the URL, and the report that it rests on.
  void run(const std::string& url, Urls& found) const {
    const auto uri = client::parse_uri(url);
    if (!uri) {
      found.steps.push_back(
          {"url", Verdict::failed, url + ": " + std::string{client::explain(uri.error())}});
      return;
    }
    auto report = try_out(*uri);
    auto step = summary(url, report);
    if (step.verdict == Verdict::failed && unanswered(report)) {
      const bool elsewhere = leads_elsewhere(report, options_.machine);
      if (const auto nearer = at_its_listener(*uri, config_)) report = try_out(*nearer);
      if (report.works()) tell_of_the_way(*uri, elsewhere, report, step);
    }
    found.steps.push_back(std::move(step));
    found.reports.push_back(std::move(report));
  }

 private:
  probe::Report try_out(const Uri& uri) const {
    return probe::probe({.uri = uri,
                         .credentials = credentials_,
                         .trust = options_.trust,
                         .progress = options_.progress,
                         .patience = patience,
                         .load = probe::Load::light});
  }

  // The server is well, and the way that clients take to it does not work from here.
  static void tell_of_the_way(const Uri& uri, bool elsewhere, const probe::Report& near,
                              Step& step) {
    const auto here = near.legs.front().server.to_string();
    if (!elsewhere) {
      step.sentences += fmt::format(" By {} it works: look at the name and the firewall.", here);
      return;
    }
    step.verdict = Verdict::attention;
    step.sentences += fmt::format(
        " By {} it works, so this may be a router that does not lead back to whom it serves. Run "
        "`yuelao probe {}` from outside to be sure.",
        here, uri.to_string());
  }

  const config::Config& config_;
  const Options& options_;
  client::Credentials credentials_;
};

}  // namespace

Urls check_urls(const config::Config& config, const server::IceServer& ice,
                const Options& options) {
  Urls found;
  const UrlCheck check{config, ice, options};
  for (const auto& url : ice.urls) check.run(url, found);
  return found;
}

std::optional<Door> open_door(const std::vector<probe::Report>& reports) {
  for (const auto& report : reports) {
    if (!report.uri.relays()) continue;
    for (const auto& leg : report.legs) {
      if (leg.relayed) return Door{{leg.transport, leg.server}, report.uri.host};
    }
  }
  return std::nullopt;
}

}  // namespace yuelao::check

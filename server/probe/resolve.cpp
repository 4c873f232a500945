#include "server/probe/resolve.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <map>

#include "server/printable.hpp"
#include "server/probe/address_lookup.hpp"
#include "server/probe/dns.hpp"
#include "server/probe/resolution_steps.hpp"
#include "server/probe/waiting.hpp"

namespace yuelao::probe {
namespace {

using namespace std::chrono_literals;
using client::Target;
using client::Uri;

constexpr std::size_t most_places = 8;
// A server that drops questions for types it does not know is waited for no longer.
constexpr auto longest_question = 2500ms;
constexpr auto for_addresses = 3s;

// This client's own preference, which counts where the records have none: UDP, since that
// is what media wants.
constexpr std::array usual{Transport::udp, Transport::tcp, Transport::tls};
// Browsers take "turns" for TLS over TCP, and no server need have more: DTLS is tried by those
// who name it.
constexpr std::array with_dtls{Transport::dtls, Transport::udp, Transport::tcp, Transport::tls};

std::span<const Transport> supported(const Uri& uri) {
  const bool dtls = uri.secure() && uri.transport == Transport::udp;
  return dtls ? std::span<const Transport>{with_dtls} : std::span<const Transport>{usual};
}

std::string list(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (i > 0) text += i + 1 == addresses.size() ? " and " : ", ";
    text += addresses[i].to_string();
  }
  return text;
}

class Resolution {
 public:
  Resolution(const Uri& uri, const Resolver& resolver, Random& random, SteadyTime deadline)
      : uri_{uri}, resolver_{resolver}, random_{random}, deadline_{deadline} {}

  Resolved run() {
    const auto plan = follow_records();
    resolved_.steps = steps_of(resolved_.lookups, plan);
    resolved_.targets = plan.targets;
    for (const auto& target : plan.targets) {
      if (resolved_.places.size() <= most_places) add_places(target);
    }
    if (resolved_.places.size() > most_places) {
      resolved_.places.resize(most_places);
      tell(Verdict::skipped,
           fmt::format("No more than {} ways to the server are tried: name one of "
                       "the others in the URI.",
                       most_places));
    }
    return std::move(resolved_);
  }

 private:
  client::Plan follow_records() {
    client::DnsAnswers answers;
    while (true) {
      auto plan = client::plan(uri_, supported(uri_), answers, random_);
      if (plan.questions.empty()) return plan;
      const auto until = std::min(deadline_ - for_addresses, steady_now() + longest_question);
      auto answered = resolver_.ask(plan.questions, until);
      for (const auto& question : plan.questions) {
        resolved_.lookups.push_back(lookup_of(question, answered[question]));
      }
      answers.merge(std::move(answered));
    }
  }

  void add_places(const Target& target) {
    for (const auto& address : addresses_of(target.host)) {
      const Place place{target.transport, {address, target.port}};
      auto& places = resolved_.places;
      if (std::ranges::find(places, place) == places.end()) places.push_back(place);
    }
  }

  const std::vector<IpAddress>& addresses_of(const std::string& host) {
    const auto [known, is_new] = addresses_.try_emplace(host);
    if (!is_new) return known->second;
    if (uri_.address) {
      known->second.push_back(*uri_.address);
    } else if (auto found = resolver_.look_up(host, deadline_)) {
      known->second = *std::move(found);
      tell(Verdict::works,
           printable(host) +
               (known->second.size() == 1 ? " has the address " : " has the addresses ") +
               list(known->second) + ".");
    } else {
      tell(Verdict::failed,
           printable(host) + " leads to no address: " + found.error() + advice(host));
    }
    return known->second;
  }

  std::string advice(const std::string& host) const {
    if (host == uri_.host) {
      return ". Look at the spelling, and at the name's A and AAAA records.";
    }
    return ". Give it A or AAAA records, or correct the record that names it.";
  }

  void tell(Verdict verdict, std::string sentence) {
    resolved_.steps.push_back({"resolve", verdict, std::move(sentence)});
  }

  const Uri& uri_;
  const Resolver& resolver_;
  Random& random_;
  SteadyTime deadline_;
  Resolved resolved_;
  std::map<std::string, std::vector<IpAddress>> addresses_;
};

}  // namespace

Resolver system_resolver() { return {ask, look_up}; }

Resolved resolve(const Uri& uri, const Resolver& resolver, Random& random, SteadyTime deadline) {
  return Resolution{uri, resolver, random, deadline}.run();
}

}  // namespace yuelao::probe

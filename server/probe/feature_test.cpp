#include "server/probe/feature_test.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "server/probe/waiting.hpp"

namespace yuelao::probe {
namespace {

using namespace std::chrono_literals;
using client::Allocate;
using client::Granted;

// A server that does not know DTLS answers nothing: so long for a ClientHello that gets lost, which
// comes again after a second, and so many round trips for the rest.
constexpr auto longest_silence = 1s;
constexpr int handshake_round_trips = 10;

// A relay with a wish, and how its answer says that it was understood.
struct RelayWish {
  Feature::Name name;
  Allocate request;
  std::optional<bool> (*granted)(const Granted&);
};

// The refusals that say: not here. Any other, as of a quota, says nothing.
bool declines(std::uint16_t code) {
  constexpr std::array<std::uint16_t, 6> codes{400, 403, 405, 420, 440, 442};
  return std::ranges::find(codes, code) != codes.end();
}

std::optional<bool> relays_over(const Granted& granted, Family family) {
  return granted.relayed->address.family() == family;
}
std::optional<bool> any_relay(const Granted&) { return true; }

std::optional<bool> even_and_reserved(const Granted& granted) {
  return granted.reserved && granted.relayed->port % 2 == 0;
}

std::optional<bool> two_relays(const Granted& granted) {
  if (granted.second_relayed) return true;
  const bool said_no = !granted.second_refused || declines(*granted.second_refused);
  return said_no ? std::optional{false} : std::nullopt;
}

const std::array wishes{
    RelayWish{Feature::Name::ipv4_relays,
              {.family = Family::ipv4},
              [](const Granted& granted) { return relays_over(granted, Family::ipv4); }},
    RelayWish{Feature::Name::ipv6_relays,
              {.family = Family::ipv6},
              [](const Granted& granted) { return relays_over(granted, Family::ipv6); }},
    RelayWish{Feature::Name::dual_allocation, {.both_families = true}, two_relays},
    RelayWish{Feature::Name::even_ports,
              {.even_port = stun::EvenPort{.reserve_next = true}},
              even_and_reserved},
    RelayWish{Feature::Name::dont_fragment, {.dont_fragment = true}, any_relay},
    RelayWish{Feature::Name::tcp_relays, {.for_tcp = true}, any_relay},
    RelayWish{Feature::Name::mobility,
              {.wants_ticket = true},
              [](const Granted& granted) { return std::optional{granted.mobile}; }},
};

bool declines(const Trouble& trouble) {
  return trouble.error == 0 && trouble.failure.reason == client::Failure::Reason::refused &&
         declines(trouble.failure.code);
}

std::optional<bool> try_wish(const RelayTest& test, const RelayWish& wish) {
  auto session = test.open(test.place.transport, test.deadline);
  if (!session) return std::nullopt;
  const auto answer = session->ask(wish.request, test.deadline);
  if (!answer.result) {
    return declines(answer.result.error()) ? std::optional{false} : std::nullopt;
  }
  session->ask(client::Refresh{0s}, steady_now() + 500ms);
  return wish.granted(*answer.result);
}

// On the same port. Empty: there is no sense in trying.
std::optional<std::optional<bool>> speaks_dtls(const RelayTest& test,
                                               std::chrono::microseconds round_trip) {
  const auto transport = test.place.transport;
  if (transport == Transport::tcp) return std::nullopt;
  if (transport == Transport::dtls) return true;
  const auto wait = longest_silence + handshake_round_trips * round_trip;
  const auto deadline = std::min(test.deadline, steady_now() + wait);
  if (test.open(Transport::dtls, deadline)) return true;
  // Where UDP was not tried, silence may be a firewall's.
  return transport == Transport::udp ? std::optional{false} : std::nullopt;
}

std::string_view words_for(Feature::Name name) {
  switch (name) {
    case Feature::Name::ipv4_relays:
      return "IPv4 relays";
    case Feature::Name::ipv6_relays:
      return "IPv6 relays";
    case Feature::Name::dual_allocation:
      return "relays of both families at once";
    case Feature::Name::even_ports:
      return "even ports with the next one reserved";
    case Feature::Name::dont_fragment:
      return "DONT-FRAGMENT";
    case Feature::Name::tcp_relays:
      return "TCP relays (RFC 6062)";
    case Feature::Name::mobility:
      return "mobility (RFC 8016)";
    case Feature::Name::dtls:
      return "DTLS on this port (RFC 7350)";
    case Feature::Name::behavior_discovery:
      return "NAT behaviour discovery (RFC 5780)";
  }
  return {};
}

std::string list(const std::vector<Feature>& features, std::optional<bool> wanted) {
  std::string text;
  for (const auto& [name, is_spoken] : features) {
    if (is_spoken != wanted) continue;
    if (!text.empty()) text += ", ";
    text += words_for(name);
  }
  return text;
}

}  // namespace

std::string_view name(Feature::Name name) {
  switch (name) {
    case Feature::Name::ipv4_relays:
      return "ipv4_relays";
    case Feature::Name::ipv6_relays:
      return "ipv6_relays";
    case Feature::Name::dual_allocation:
      return "dual_allocation";
    case Feature::Name::even_ports:
      return "even_ports";
    case Feature::Name::dont_fragment:
      return "dont_fragment";
    case Feature::Name::tcp_relays:
      return "tcp_relays";
    case Feature::Name::mobility:
      return "mobility";
    case Feature::Name::dtls:
      return "dtls";
    case Feature::Name::behavior_discovery:
      return "behavior_discovery";
  }
  return {};
}

void test_relay_features(const RelayTest& test, Leg& leg) {
  for (const auto& wish : wishes) {
    // RFC 6062 §4.1: a client asks for one over a stream.
    if (wish.request.for_tcp && over_udp(test.place.transport)) continue;
    const bool late = steady_now() >= test.deadline;
    leg.features.push_back({wish.name, late ? std::nullopt : try_wish(test, wish)});
  }
}

void test_stun_features(const RelayTest& test, bool other_address, Leg& leg) {
  leg.features.push_back({Feature::Name::behavior_discovery, other_address});
  if (const auto dtls = speaks_dtls(test, leg.round_trip.value_or(100ms)))
    leg.features.push_back({Feature::Name::dtls, *dtls});
}

void add_features(Leg& leg) {
  const auto yes = list(leg.features, true);
  const auto no = list(leg.features, false);
  const auto unknown = list(leg.features, std::nullopt);
  std::string text;
  if (!yes.empty()) text += " The server speaks: " + yes + ".";
  if (!no.empty()) text += " It does not: " + no + ".";
  if (!unknown.empty()) text += " Not found out: " + unknown + ".";
  if (!text.empty()) leg.add({"features", Verdict::works, text.substr(1)});
}

}  // namespace yuelao::probe

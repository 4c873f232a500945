#include "server/probe/leg.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cerrno>

#include "server/printable.hpp"
#include "server/probe/explain.hpp"
#include "server/probe/feature_test.hpp"
#include "server/probe/nat_test.hpp"
#include "server/probe/private_address.hpp"
#include "server/probe/relay_test.hpp"
#include "server/probe/session.hpp"
#include "server/probe/waiting.hpp"

namespace yuelao::probe {
namespace {

using namespace std::chrono_literals;
using client::Failure;

constexpr auto longest_connect = 5s;
// Let's Encrypt's clients renew 30 days before the end: less than this, and they do not.
constexpr std::chrono::days soon{14};

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "no name" : text;
}

// What comes after another ends the leg where it fails.
class LegProbe {
 public:
  LegProbe(const Options& options, const Place& place, Random& random, SteadyTime deadline)
      : options_{options}, place_{place}, random_{random}, deadline_{deadline} {
    leg_.transport = place.transport;
    leg_.server = place.server;
  }

  Leg run() {
    if (!connect() || !trust() || !bind()) return std::move(leg_);
    if (options_.uri.relays()) {
      if (allocate()) test_data();
      leg_.realm = printable(session_->realm());
    }
    if (options_.load == Load::full) {
      if (names_other_ && place_.transport == Transport::udp) discover_nat();
      find_features();
    }
    return std::move(leg_);
  }

 private:
  void tell(std::string_view what) const {
    if (!options_.progress) return;
    options_.progress(
        fmt::format("{} to {}: {}", spoken(place_.transport), place_.server.to_string(), what));
  }
  std::expected<OpenLink, LinkError> open(const Place& place, SteadyTime deadline) const {
    const auto alpn = options_.uri.relays() ? "stun.turn" : "stun.nat-discovery";  // RFC 7443
    return open_link(place, options_.trust, {options_.uri.host, alpn},
                     std::min(deadline, steady_now() + longest_connect));
  }
  void fail(std::string step, const Trouble& trouble) {
    const bool skipped = trouble.error != 0 && is_ours({trouble.error, {}});
    leg_.add(
        {std::move(step), skipped ? Verdict::skipped : Verdict::failed, explain(trouble, place_)});
  }

  bool connect();
  bool trust();
  bool bind();
  bool allocate();
  void judge_relay(const client::Granted& granted);
  RelayTest relay_test();
  void test_data();
  void discover_nat();
  void find_features();

  const Options& options_;
  Place place_;
  Random& random_;
  SteadyTime deadline_;
  Leg leg_;
  std::optional<Session> session_;
  bool names_other_ = false;  // the server has a second address, for RFC 5780
};

bool LegProbe::connect() {
  tell("connecting");
  auto open = this->open(place_, deadline_);
  if (!open && !open.error().handshake.empty()) {
    const bool datagrams = over_udp(place_.transport);
    if (!datagrams) leg_.add({"connect", Verdict::works, "TCP connects."});
    leg_.add({datagrams ? "dtls" : "tls", Verdict::failed, explain(open.error(), place_)});
    return false;
  }
  if (!open) {
    leg_.add({"connect", is_ours(open.error()) ? Verdict::skipped : Verdict::failed,
              explain(open.error(), place_)});
    return false;
  }
  leg_.certificate = open->certificate;
  leg_.local = open->link->local();
  if (!over_udp(place_.transport)) {
    leg_.add({"connect", Verdict::works,
              "TCP connects in " + milliseconds(open->connected_after) + "."});
  }
  session_.emplace(std::move(open->link), options_.credentials, random_);
  return true;
}

// Whoever is not believed is told nothing that is signed with the password.
bool LegProbe::trust() {
  if (!leg_.certificate) return true;
  const auto& certificate = *leg_.certificate;
  if (!certificate.distrust.empty()) {
    leg_.add({"certificate", Verdict::failed,
              fmt::format("Clients refuse the certificate for {} from {}: {}. Install one that is "
                          "valid for {} with its whole chain; of an authority of your own, name "
                          "the certificate with --ca.",
                          join(certificate.names), certificate.issuer, certificate.distrust,
                          options_.uri.host)});
    return false;
  }
  const auto left =
      std::chrono::floor<std::chrono::days>(certificate.expiry - std::chrono::system_clock::now());
  const bool ends_soon = left < soon;
  leg_.add({"certificate", ends_soon ? Verdict::attention : Verdict::works,
            fmt::format("{} with a certificate for {} from {}, {} {} left{}.", certificate.protocol,
                        join(certificate.names), certificate.issuer, left.count(),
                        left.count() == 1 ? "day" : "days",
                        ends_soon ? ": renew it, and look why nobody did" : "")});
  return true;
}

bool LegProbe::bind() {
  tell("asking for this machine's address");
  const auto answer = session_->ask(client::Binding{}, deadline_);
  if (!answer.result) {
    const auto& trouble = answer.result.error();
    // A TURN server may keep Bindings for its users.
    const bool reserved = options_.uri.relays() && trouble.error == 0 &&
                          trouble.failure.reason != Failure::Reason::silent;
    if (!reserved) fail("binding", trouble);
    if (reserved) leg_.add({"binding", Verdict::attention, explain(trouble, place_)});
    return reserved;
  }
  leg_.round_trip = answer.round_trip;
  leg_.mapped = answer.result->mapped;
  leg_.software = printable(answer.result->software);
  names_other_ = answer.result->other.has_value();
  const bool translated = leg_.mapped->address != leg_.local->address;
  leg_.add({"binding", Verdict::works,
            fmt::format("The server answers in {}, and sees this machine as {}{}.",
                        milliseconds(answer.round_trip), leg_.mapped->to_string(),
                        translated ? ": a NAT is between" : "")});
  const auto& plain = answer.result->plain;
  if (plain && plain != leg_.mapped) {  // RFC 5780 §3.6
    leg_.add({"gateway", Verdict::attention,
              fmt::format("Something between rewrites addresses inside of messages, here to {}: "
                          "turn off the application-level gateway (ALG) of the router.",
                          plain->to_string())});
  }
  if (answer.transmissions > 1) {
    leg_.add({"loss", Verdict::attention,
              fmt::format("It took {} transmissions to get that answer: datagrams get lost.",
                          answer.transmissions)});
  }
  return true;
}

bool LegProbe::allocate() {
  tell("asking for a relay");
  const auto answer = session_->ask(client::Allocate{}, deadline_);
  leg_.offer = session_->offer();
  if (!answer.result) {
    fail("allocation", answer.result.error());
    return false;
  }
  if (leg_.offer) leg_.add({"authentication", Verdict::works, explain(*leg_.offer)});
  judge_relay(*answer.result);
  return true;
}

void LegProbe::judge_relay(const client::Granted& granted) {
  leg_.relayed = granted.relayed;
  if (leg_.software.empty()) leg_.software = printable(granted.software);
  const auto relay = granted.relayed->to_string();
  if (!options_.credentials) {
    leg_.add({"allocation", Verdict::attention,
              "The server opened the relay " + relay +
                  " without asking for credentials: anybody can send through it. Give it users or "
                  "a secret."});
    return;
  }
  if (private_address(granted.relayed->address) && !private_address(place_.server.address)) {
    leg_.add({"allocation", Verdict::attention,
              "The server opened the relay " + relay +
                  ", which nobody elsewhere can reach: tell the server its public address."});
    return;
  }
  leg_.add(
      {"allocation", Verdict::works,
       fmt::format("The server opened the relay {} for {} s.", relay, granted.lifetime.count())});
}

RelayTest LegProbe::relay_test() {
  const auto more = [this](Transport transport, SteadyTime deadline) -> std::optional<Session> {
    auto open = this->open({transport, place_.server}, deadline);
    if (!open) return std::nullopt;
    return std::optional<Session>{std::in_place, std::move(open->link), options_.credentials,
                                  random_};
  };
  return {.place = place_,
          .relayed = leg_.relayed.value_or(Endpoint{}),
          .open = more,
          .random = random_,
          .deadline = deadline_,
          .load = options_.load};
}

void LegProbe::test_data() {
  tell("sending packets through the relay");
  test_relay(relay_test(), *session_, leg_);
  // So that the server need not keep the relay until its lifetime ends.
  session_->ask(client::Refresh{0s}, steady_now() + 500ms);
}

void LegProbe::discover_nat() {
  tell("finding out what kind of NAT is between");
  test_nat({place_, leg_.local->address, random_, deadline_}, leg_);
}

void LegProbe::find_features() {
  tell("finding out what else the server speaks");
  if (leg_.relayed) test_relay_features(relay_test(), leg_);
  test_stun_features(relay_test(), names_other_, leg_);
  add_features(leg_);
}

}  // namespace

Leg try_leg(const Options& options, const Place& place, Random& random, SteadyTime deadline) {
  if (steady_now() < deadline) return LegProbe{options, place, random, deadline}.run();
  Leg leg;
  leg.transport = place.transport;
  leg.server = place.server;
  leg.add({"connect", Verdict::failed,
           "Not tried: what came before took all the time there was. Name this address and "
           "transport in the URI."});
  return leg;
}

}  // namespace yuelao::probe

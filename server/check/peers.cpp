#include <fmt/format.h>

#include <algorithm>

#include "protocol/turn/peer_policy.hpp"
#include "server/check/parts.hpp"
#include "server/probe/explain.hpp"
#include "server/probe/session.hpp"
#include "server/random.hpp"

namespace yuelao::check {
namespace {

using namespace std::chrono_literals;
using probe::Trouble;
using turn::PeerPolicy;

constexpr auto time_for_all = 8s;
constexpr std::uint16_t some_port = 9;  // a permission is for an address (RFC 8656 §9)
constexpr std::uint16_t forbidden = 403;

// What nobody outside may reach by way of a relay: this machine's own services, and the
// keys that a cloud keeps for its machines.
const auto loopback_v4 = IpAddress::v4({127, 0, 0, 1});
const auto metadata_v4 = IpAddress::v4({169, 254, 169, 254});
const auto loopback_v6 = IpAddress::parse("::1").value();
const auto metadata_v6 = IpAddress::parse("fd00:ec2::254").value();

// A relay of our own, to ask permissions for.
class Relay {
 public:
  Relay(const Door& door, const server::IceServer& ice, const Options& options)
      : place_{door.place}, deadline_{std::chrono::steady_clock::now() + time_for_all} {
    auto open = probe::open_link(place_, options.trust, {door.host, "stun.turn"}, deadline_);
    if (!open) return;
    session_.emplace(std::move(open->link), client::Credentials{ice.username, ice.credential},
                     random_);
  }

  std::expected<void, Trouble> open(Family family) { return ask(client::Allocate{family}); }
  std::expected<void, Trouble> permit(const IpAddress& peer) {
    return ask(client::CreatePermission{{peer, some_port}});
  }
  // So that the server need not keep the relay; it does for its lifetime where this fails.
  void close() {
    if (session_) session_->ask(client::Refresh{0s}, deadline_);
  }
  std::string explain(const Trouble& trouble) const { return probe::explain(trouble, place_); }

 private:
  std::expected<void, Trouble> ask(const client::Request& request) {
    if (!session_) return std::unexpected{Trouble{.failure = {}, .error = ECONNREFUSED}};
    auto answer = session_->ask(request, deadline_);
    if (!answer.result) return std::unexpected{std::move(answer.result).error()};
    return {};
  }

  probe::Place place_;
  SteadyTime deadline_;
  server::SystemRandom random_;
  std::optional<probe::Session> session_;
};

bool refused(const std::expected<void, Trouble>& result) {
  return !result && result.error().error == 0 && result.error().failure.code == forbidden;
}

Step differs(const IpAddress& peer, std::string_view does) {
  return {"peer", Verdict::failed,
          fmt::format("The server {} {}, unlike its configuration: `systemctl reload yuelao`.",
                      does, peer.to_string())};
}

Step judge_wanted(const IpAddress& peer, PeerPolicy::Verdict policy, Relay& relay) {
  const auto result = relay.permit(peer);
  if (result) {
    return {"peer", Verdict::works, "Clients are let through to " + peer.to_string() + "."};
  }
  if (!refused(result)) {
    return {"peer", Verdict::failed,
            "Whether clients are let through to " + peer.to_string() +
                " could not be asked: " + relay.explain(result.error())};
  }
  if (policy == PeerPolicy::Verdict::allowed) return differs(peer, "refuses clients who want to");
  return {"peer", Verdict::failed,
          fmt::format("Clients are not let through to {0}: add {0} to `peers.allow`, and reload.",
                      peer.to_string())};
}

Step judge_unwanted(const IpAddress& peer, PeerPolicy::Verdict policy, Relay& relay) {
  const auto result = relay.permit(peer);
  if (refused(result)) {
    return {"peer", Verdict::works,
            "Clients are kept from " + peer.to_string() +
                (peer == metadata_v4 || peer == metadata_v6 ? ", where clouds keep keys."
                                                            : ", this machine itself.")};
  }
  if (!result) {
    return {"peer", Verdict::failed,
            "Whether clients are kept from " + peer.to_string() +
                " could not be asked: " + relay.explain(result.error())};
  }
  if (policy != PeerPolicy::Verdict::allowed) return differs(peer, "lets clients through to");
  return {"peer", Verdict::attention,
          "`peers.allow` lets clients through to " + peer.to_string() +
              ": whatever listens there is open to them. Allow single addresses of media servers."};
}

// The media servers that somebody named, here or in the configuration.
std::vector<IpAddress> media_servers(const config::Config& config, const Options& options) {
  auto wanted = options.peers;
  for (const auto& range : config.turn.peers.allow) {
    if (range.first() == range.last()) wanted.push_back(range.first());
  }
  std::ranges::sort(wanted);
  const auto repeated = std::ranges::unique(wanted);
  wanted.erase(repeated.begin(), repeated.end());
  return wanted;
}

bool has_relays(const config::Config& config, Family family) {
  return std::ranges::any_of(config.turn.relay_addresses, [=](const turn::RelayAddress& one) {
    return one.bound.family() == family;
  });
}

}  // namespace

Steps check_peers(const config::Config& config, const server::IceServer& ice, const Door& door,
                  const Options& options) {
  Steps steps;
  const PeerPolicy policy{config.turn.peers};
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    auto wanted = media_servers(config, options);
    std::erase_if(wanted, [=](const IpAddress& peer) { return peer.family() != family; });
    std::vector<IpAddress> unwanted{loopback_v4, metadata_v4};
    if (family == Family::ipv6) unwanted = {loopback_v6, metadata_v6};
    std::erase_if(unwanted,
                  [&](const IpAddress& peer) { return std::ranges::count(wanted, peer); });
    if (wanted.empty() && !has_relays(config, family)) continue;
    if (wanted.empty() && unwanted.empty()) continue;

    if (options.progress) options.progress("asking whom clients are let through to");
    Relay relay{door, ice, options};
    if (const auto opened = relay.open(family); !opened) {
      steps.push_back({"peer", Verdict::failed,
                       "No relay to ask for peers with: " + relay.explain(opened.error())});
      continue;
    }
    for (const auto& peer : wanted) {
      steps.push_back(judge_wanted(peer, policy.judge(peer), relay));
    }
    for (const auto& peer : unwanted) {
      steps.push_back(judge_unwanted(peer, policy.judge(peer), relay));
    }
    relay.close();
  }
  return steps;
}

}  // namespace yuelao::check

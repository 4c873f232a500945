#include "server/command/addresses.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "protocol/ip_range.hpp"

namespace yuelao::server {
namespace {

using turn::RelayAddress;
template <typename T>
using Result = std::expected<T, std::string>;

bool in_any(const IpAddress& address, std::initializer_list<std::string_view> ranges) {
  return std::ranges::any_of(
      ranges, [&](std::string_view range) { return IpRange::parse(range)->contains(address); });
}

bool holds(const std::vector<IpAddress>& addresses, const IpAddress& address) {
  return std::ranges::find(addresses, address) != addresses.end();
}

// An address other machines can reach without a zone.
bool reachable(const IpAddress& address) {
  return !address.unspecified() &&
         !in_any(address, {"127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10"});
}

bool is_private(const IpAddress& address) {
  return in_any(address, {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"});
}

std::string listed(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const auto& address : addresses) {
    text += (text.empty() ? "" : ", ") + address.to_string();
  }
  return text;
}

// A machine without a default route (a laboratory, a container) may still have peers.
std::optional<IpAddress> detected(const Machine& machine, Family family) {
  const auto& source = family == Family::ipv4 ? machine.default_ipv4 : machine.default_ipv6;
  if (source && reachable(*source)) return source;
  const auto first = std::ranges::find_if(machine.interfaces, [&](const IpAddress& address) {
    return address.family() == family && reachable(address);
  });
  return first == machine.interfaces.end() ? std::nullopt : std::optional{*first};
}

// One address clients are told, and the own address it stands for where that is said.
struct External {
  IpAddress advertised;
  std::optional<IpAddress> bound;
  bool from_name = false;
};

// The addresses of one entry: itself, or the first of each family that its name has.
Result<std::vector<External>> externals_of(const config::ExternalAddress& entry,
                                           const Machine& machine) {
  if (const auto literal = IpAddress::parse(entry.public_host)) {
    return std::vector{External{*literal, entry.bound}};
  }
  const auto found = machine.look_up(entry.public_host);
  std::vector<External> externals;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    if (entry.bound && entry.bound->family() != family) continue;
    const auto first = std::ranges::find(found, family, &IpAddress::family);
    if (first != found.end()) externals.push_back({*first, entry.bound, true});
  }
  if (externals.empty()) {
    return std::unexpected{"`external_address` names " + entry.public_host +
                           ", which has no fitting address: check the name and the resolver, or "
                           "write the address itself."};
  }
  return externals;
}

Result<std::vector<External>> all_externals(const config::Config& config, const Machine& machine) {
  std::vector<External> all;
  for (const auto& entry : config.external_addresses) {
    if (entry.stun) continue;  // asked about what is left (ask_stun_servers)
    auto some = externals_of(entry, machine);
    if (!some) return some;
    for (auto& external : *some) {
      // A public address that is this machine's own needs no translation.
      if (!external.bound && machine.can_bind(external.advertised)) {
        external.bound = external.advertised;
      }
      all.push_back(external);
    }
  }
  return all;
}

// What relays are opened on, each still advertised as it is.
Result<std::vector<RelayAddress>> relay_addresses(const config::Config& config,
                                                  const std::vector<External>& externals,
                                                  const Machine& machine) {
  std::vector<IpAddress> bound = config.relay.addresses;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    if (!config.relay.addresses.empty()) break;
    // Who says which own address a public one stands for has chosen that one.
    const bool chosen = std::ranges::any_of(externals, [&](const External& external) {
      return external.bound && external.bound->family() == family;
    });
    const auto address = detected(machine, family);
    if (!chosen && address) bound.push_back(*address);
  }
  for (const auto& external : externals) {
    if (external.bound && !holds(bound, *external.bound)) bound.push_back(*external.bound);
  }
  std::vector<RelayAddress> relays;
  for (const auto& address : bound) {
    if (!machine.can_bind(address)) {
      return std::unexpected{"relays cannot be opened on " + address.to_string() +
                             ", which is not this machine's: name one of " +
                             listed(machine.interfaces) +
                             " in `relay.addresses` or behind the slash of `external_address`."};
    }
    relays.push_back({address, address});
  }
  return relays;
}

// Gives `external` to its relay address. False: there is none left for it.
bool advertise(const External& external, std::vector<RelayAddress>& relays) {
  const auto fits = [&](const RelayAddress& relay) {
    if (external.bound) return relay.bound == *external.bound;
    return relay.advertised == relay.bound && relay.bound.family() == external.advertised.family();
  };
  const auto relay = std::ranges::find_if(relays, fits);
  if (relay == relays.end()) return false;
  relay->advertised = external.advertised;
  return true;
}

// What is advertised as it is may still be another address to the rest of the world.
void ask_stun_servers(const config::Config& config, const std::vector<External>& externals,
                      const Machine& machine, std::vector<RelayAddress>& relays) {
  for (auto& relay : relays) {
    const bool said = std::ranges::any_of(externals, [&](const External& external) {
      return external.bound == relay.bound || external.advertised == relay.advertised;
    });
    if (said) continue;
    for (const auto& entry : config.external_addresses) {
      if (!entry.stun) continue;
      const auto seen = machine.seen_as(*entry.stun, relay.bound);
      if (!seen || !reachable(*seen)) continue;
      relay.advertised = *seen;
      break;
    }
  }
}

std::vector<IpAddress> own_addresses(const Machine& machine,
                                     const std::vector<RelayAddress>& relays,
                                     const std::vector<External>& externals) {
  std::vector<IpAddress> own = machine.interfaces;
  for (const auto& relay : relays) {
    own.push_back(relay.bound);
    own.push_back(relay.advertised);
  }
  for (const auto& external : externals) own.push_back(external.advertised);
  std::ranges::sort(own);
  const auto repeated = std::ranges::unique(own);
  own.erase(repeated.begin(), repeated.end());
  return own;
}

}  // namespace

std::expected<void, std::string> resolve_addresses(config::Config& config, const Machine& machine) {
  const auto externals = all_externals(config, machine);
  if (!externals) return std::unexpected{externals.error()};
  auto relays = relay_addresses(config, *externals, machine);
  if (!relays) return std::unexpected{relays.error()};
  for (const auto& external : *externals) {
    // A name often has an IPv6 address that a machine behind it does without.
    if (advertise(external, *relays) || external.from_name) continue;
    return std::unexpected{
        "`external_address` " + external.advertised.to_string() +
        " has no address of this machine left to stand for: write which one as " +
        external.advertised.to_string() + "/OWN-ADDRESS."};
  }
  ask_stun_servers(config, *externals, machine, *relays);
  if (relays->empty()) {
    return std::unexpected{
        "this machine has no address to open relays on: connect it to a network, or name one in "
        "`relay.addresses`."};
  }
  config.turn.peers.own_addresses = own_addresses(machine, *relays, *externals);
  config.turn.relay_addresses = std::move(*relays);
  return {};
}

std::vector<std::string> address_warnings(const config::Config& config) {
  std::vector<std::string> warnings;
  for (const auto& relay : config.turn.relay_addresses) {
    if (!config.external_addresses.empty() || !is_private(relay.advertised)) continue;
    warnings.push_back("clients are told " + relay.advertised.to_string() +
                       ", which only this network can reach: set `external_address` when guests "
                       "come from outside.");
  }
  return warnings;
}

}  // namespace yuelao::server

#include <fmt/format.h>

#include <algorithm>

#include "protocol/client/uri.hpp"
#include "server/check/parts.hpp"

namespace yuelao::check {
namespace {

using turn::RelayAddress;

std::string list(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const auto& address : addresses) text += (text.empty() ? "" : ", ") + address.to_string();
  return text;
}

Step describe(const RelayAddress& relay, const config::Config& config) {
  const auto& [advertised, bound] = relay;
  if (advertised == bound) {
    return {"address", Verdict::works,
            fmt::format("Relays are opened on {}, and clients are told so.", bound.to_string())};
  }
  return {"address", Verdict::works,
          fmt::format("Relays are opened on {}, and clients are told {}: the router has to lead "
                      "UDP ports {} to {} and those under `listen` from there to here.",
                      bound.to_string(), advertised.to_string(), config.relay.first_port,
                      config.relay.last_port)};
}

Step compare(const RelayAddress& relay, const Options& options) {
  const auto& [advertised, bound] = relay;
  const auto servers = options.machine.look_up(options.stun->host);
  if (std::ranges::find(servers, bound.family(), &IpAddress::family) == servers.end()) {
    return {"seen from outside", Verdict::skipped,
            fmt::format("{} has no address of the family of {}, and could not be asked.",
                        options.stun->host, bound.to_string())};
  }
  const auto seen = options.machine.seen_as(*options.stun, bound);
  if (!seen) {
    return {"seen from outside", Verdict::attention,
            fmt::format("{} did not tell how the Internet sees {}: name another STUN server, or "
                        "let UDP out.",
                        options.stun->host, bound.to_string())};
  }
  if (*seen == advertised) {
    return {"seen from outside", Verdict::works,
            fmt::format("The Internet sees this machine as {}, too.", seen->to_string())};
  }
  const auto mend = *seen == bound ? "take `external_address` out"
                                   : "write `external_address: " + seen->to_string() + "`";
  return {"seen from outside", Verdict::failed,
          fmt::format("The Internet sees {} as {}, and clients are told {}: {}, or correct the "
                      "router.",
                      bound.to_string(), seen->to_string(), advertised.to_string(), mend)};
}

// Where a name in our URLs leads. Proxies in front of us have addresses of their own.
Step check_name(const std::string& name, const config::Config& config, const Options& options) {
  const auto found = options.machine.look_up(name);
  if (found.empty()) {
    return {"name", Verdict::failed,
            name +
                " has no address: clients cannot find the server. Add an A or AAAA record, or "
                "correct the name."};
  }
  const auto& own = config.turn.peers.own_addresses;
  const bool ours = std::ranges::any_of(found, [&](const IpAddress& address) {
    return std::ranges::find(own, address) != own.end();
  });
  if (ours || !config.proxies.empty()) {
    return {"name", Verdict::works, name + " leads to " + list(found) + "."};
  }
  return {"name", Verdict::attention,
          fmt::format("{} leads to {}, and none of that is this machine's: correct its A and AAAA "
                      "records, or name the public address in `external_address`.",
                      name, list(found))};
}

std::vector<std::string> names_in(const std::vector<std::string>& urls) {
  std::vector<std::string> names;
  for (const auto& url : urls) {
    const auto uri = client::parse_uri(url);
    if (uri && !uri->address) names.push_back(uri->host);
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

}  // namespace

Steps check_addresses(const config::Config& config, const std::vector<std::string>& urls,
                      const Options& options) {
  Steps steps;
  for (const auto& relay : config.turn.relay_addresses) {
    steps.push_back(describe(relay, config));
    if (options.stun) steps.push_back(compare(relay, options));
  }
  for (const auto& name : names_in(urls)) steps.push_back(check_name(name, config, options));
  return steps;
}

}  // namespace yuelao::check

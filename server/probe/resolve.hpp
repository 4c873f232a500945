#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "protocol/client/resolution.hpp"
#include "protocol/client/uri.hpp"
#include "protocol/now.hpp"
#include "protocol/random.hpp"
#include "server/probe/link.hpp"
#include "server/probe/report.hpp"

namespace yuelao::probe {

// Where the answers come from. Neither may block for longer than until the time it is given.
struct Resolver {
  // NAPTR and SRV records: ask(), of dns.hpp.
  std::function<client::DnsAnswers(const std::vector<client::DnsQuestion>&, SteadyTime)> ask;
  // A host's addresses: look_up(), of address_lookup.hpp.
  std::function<std::expected<std::vector<IpAddress>, std::string>(const std::string&, SteadyTime)>
      look_up;
};

// This machine's DNS servers, and its own ways of finding addresses.
Resolver system_resolver();

struct Resolved {
  std::vector<Place> places;  // in the order a client would try them; none: no address
  std::vector<Step> steps;    // how they were found
  std::vector<Lookup> lookups;
  std::vector<client::Target> targets;
};

// Where a URI leads, 8 places at most, by the rules of protocol/client/resolution.hpp.
// Blocks until `deadline` at most, the last 3 seconds of which are for addresses.
Resolved resolve(const client::Uri& uri, const Resolver& resolver, Random& random,
                 SteadyTime deadline);

}  // namespace yuelao::probe

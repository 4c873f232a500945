#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "server/machine.hpp"

namespace yuelao::server {

// Fills in turn.relay_addresses and turn.peers.own_addresses from what the
// configuration says and the machine has. The error is one sentence with the fix.
//
// Relays are opened on relay.addresses, or on the source addresses of the default
// routes; a family without one has no relays. external_address changes what clients are
// told: `public/own` for that own address, `public` for the machine's address if it is
// one, else for the first of the same family that has no other. A STUN server is asked
// about what is still advertised as it is; while it is silent that stays so.
std::expected<void, std::string> resolve_addresses(config::Config& config, const Machine& machine);

// What clients are likely to stumble over, one sentence each.
std::vector<std::string> address_warnings(const config::Config& config);

}  // namespace yuelao::server

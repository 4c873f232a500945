#pragma once

#include <vector>

#include "protocol/client/resolution.hpp"
#include "server/probe/report.hpp"

namespace yuelao::probe {

// A record as zone files have it: "0 5 3478 turn.example.org".
Lookup lookup_of(const client::DnsQuestion& question, const client::DnsAnswer& answer);

// What the records say and where they lead, in sentences. Nothing where nothing was asked.
std::vector<Step> steps_of(const std::vector<Lookup>& lookups, const client::Plan& plan);

}  // namespace yuelao::probe

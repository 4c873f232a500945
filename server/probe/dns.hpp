#pragma once

#include <vector>

#include "protocol/client/dns_records.hpp"
#include "protocol/now.hpp"

namespace yuelao::probe {

// Asks the DNS servers of this system (resolv.conf(5)) all the questions at once, for these
// very names and without a search list. Every question has an answer, `silent` where there is
// none by `deadline`, until which this blocks at most, and no more than client::most_records
// and one of its records, the first in their order.
client::DnsAnswers ask(const std::vector<client::DnsQuestion>& questions, SteadyTime deadline);

}  // namespace yuelao::probe

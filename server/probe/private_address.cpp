#include "server/probe/private_address.hpp"

#include <algorithm>

#include "protocol/turn/peer_policy.hpp"

namespace yuelao::probe {

bool private_address(const IpAddress& address) {
  const auto& special = turn::special_purpose_ranges();
  return address.unspecified() || std::ranges::any_of(special, [&](const IpRange& range) {
           return range.contains(address);
         });
}

}  // namespace yuelao::probe

#include "protocol/turn/response_budget.hpp"

#include <boost/container_hash/hash.hpp>

#include "protocol/ip_range.hpp"

namespace yuelao::turn {

bool ResponseBudget::spend(const IpAddress& client, std::size_t octets, Bandwidth rate,
                           SteadyTime now) {
  if (rate == unlimited) return true;
  std::size_t hash = seed_;
  boost::hash_combine(hash, client_prefix(client));
  return cells_[hash % cell_count].take(octets, rate, now, burst);
}

}  // namespace yuelao::turn

#include "server/rate_limit.hpp"

#include <algorithm>

#include "protocol/ip_range.hpp"

namespace yuelao::server {
namespace {

using namespace std::chrono_literals;

constexpr auto window = 60s;

}  // namespace

bool RateLimit::admits(const IpAddress& client, std::uint32_t limit, Time now) {
  if (limit == 0) return true;
  if (now - begin_ >= window) {
    counts_.clear();
    begin_ = now;
  }
  const auto prefix = client_prefix(client);
  if (counts_.size() >= clients && !counts_.contains(prefix)) counts_.clear();
  auto& count = counts_[prefix];
  if (count >= limit) return false;
  ++count;
  return true;
}

std::chrono::seconds RateLimit::wait(Time now) const {
  return std::max(std::chrono::ceil<std::chrono::seconds>(begin_ + window - now),
                  std::chrono::seconds{1});
}

}  // namespace yuelao::server

#include "server/connection_limit.hpp"

#include <algorithm>

#include "server/memory_reserve.hpp"

namespace yuelao::server {

ConnectionLimit::Place ConnectionLimit::admit(const IpAddress& client) {
  if (memory_reserve::used()) return {};
  const std::scoped_lock lock{mutex_};
  if (open_ >= bounds_.all) return {};
  const bool proxy = std::ranges::any_of(
      bounds_.proxies, [&](const IpRange& range) { return range.contains(client); });
  if (proxy || bounds_.per_prefix == 0) {
    ++open_;
    return {*this, std::nullopt};
  }
  const auto prefix = client_prefix(client);
  auto& of_prefix = of_prefix_[prefix];
  if (of_prefix >= bounds_.per_prefix) return {};
  ++of_prefix;
  ++open_;
  return {*this, prefix};
}

void ConnectionLimit::leave(const std::optional<IpAddress>& prefix) {
  const std::scoped_lock lock{mutex_};
  --open_;
  if (!prefix) return;
  const auto found = of_prefix_.find(*prefix);
  if (--found->second == 0) of_prefix_.erase(found);
}

void ConnectionLimit::set(Bounds bounds) {
  const std::scoped_lock lock{mutex_};
  bounds_ = std::move(bounds);
}

}  // namespace yuelao::server

#include "protocol/turn/quota.hpp"

#include <algorithm>

#include "protocol/ip_range.hpp"

namespace yuelao::turn {
namespace {

bool full(std::uint64_t count, std::uint32_t limit) { return limit != 0 && count >= limit; }

template <class Map, class Key>
std::uint32_t count_of(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? 0 : found->second;
}

// Entries that count nothing go, so that the maps never outgrow the live allocations.
template <class Map, class Key>
void take_one(Map& map, const Key& key) {
  const auto found = map.find(key);
  if (found == map.end()) return;
  if (--found->second == 0) map.erase(found);
}

}  // namespace

Admission QuotaLedger::admit(std::string_view user, const IpAddress& client) {
  const std::string name{user};
  const auto prefix = client_prefix(client);
  if (full(total_, limits_.allocations)) return Admission::server_full;
  if (full(count_of(by_user_, name), limits_.allocations_per_user)) return Admission::user_full;
  if (full(count_of(by_prefix_, prefix), limits_.allocations_per_prefix) && !is_proxy(client)) {
    return Admission::prefix_full;
  }
  ++by_user_[name];
  ++by_prefix_[prefix];
  ++total_;
  return Admission::admitted;
}

// They are counted all the same, so that release() fits whatever the limits were.
bool QuotaLedger::is_proxy(const IpAddress& client) const {
  return std::ranges::any_of(limits_.proxies,
                             [&](const IpRange& range) { return range.contains(client); });
}

void QuotaLedger::release(std::string_view user, const IpAddress& client) {
  take_one(by_user_, std::string{user});
  take_one(by_prefix_, client_prefix(client));
  if (total_ > 0) --total_;
}

Admission QuotaLedger::admit_connection(std::string_view user) {
  const std::string name{user};
  if (full(connections_, limits_.peer_connections)) return Admission::server_full;
  if (full(count_of(connections_by_user_, name), limits_.peer_connections_per_user)) {
    return Admission::user_full;
  }
  ++connections_by_user_[name];
  ++connections_;
  return Admission::admitted;
}

void QuotaLedger::release_connection(std::string_view user) {
  take_one(connections_by_user_, std::string{user});
  if (connections_ > 0) --connections_;
}

Admission QuotaLedger::move(const IpAddress& from, const IpAddress& to, std::uint32_t count) {
  const auto prefix = client_prefix(to);
  if (prefix == client_prefix(from)) return Admission::admitted;
  const auto last = count_of(by_prefix_, prefix) + count - 1;
  if (full(last, limits_.allocations_per_prefix) && !is_proxy(to)) return Admission::prefix_full;
  by_prefix_[prefix] += count;
  for (std::uint32_t i = 0; i < count; ++i) take_one(by_prefix_, client_prefix(from));
  return Admission::admitted;
}

}  // namespace yuelao::turn

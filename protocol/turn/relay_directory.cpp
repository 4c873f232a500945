#include "protocol/turn/relay_directory.hpp"

#include <algorithm>
#include <utility>

namespace yuelao::turn {
namespace {

bool names(const RelayAddress& relay, const IpAddress& address) {
  return relay.advertised == address || relay.bound == address;
}

}  // namespace

std::uint16_t RelayDirectory::Entry::at(std::uint16_t port) const {
  return (*ports)[port].load(std::memory_order_relaxed);
}

bool RelayDirectory::Entry::idle() const {
  return std::ranges::all_of(
      *ports, [](const auto& owner) { return owner.load(std::memory_order_relaxed) == 0; });
}

RelayDirectory::RelayDirectory(const std::vector<RelayAddress>& addresses) { follow(addresses); }

void RelayDirectory::follow(const std::vector<RelayAddress>& addresses) {
  std::vector<Entry> before = std::exchange(entries_, {});
  for (const auto& address : addresses) {
    const auto known = std::ranges::find(before, address, &Entry::address);
    entries_.push_back(
        {address, true, known == before.end() ? std::make_shared<Ports>() : known->ports});
  }
  for (auto& entry : before) {
    if (std::ranges::find(entries_, entry.address, &Entry::address) != entries_.end()) continue;
    // One that was current a moment ago may be just about to get its first relay.
    if (!entry.current && entry.idle()) continue;
    entry.current = false;
    entries_.push_back(std::move(entry));
  }
}

template <class Matches>
const RelayDirectory::Entry* RelayDirectory::find(std::uint16_t port, Matches matches) const {
  const Entry* found = nullptr;
  for (const auto& entry : entries_) {
    if (!matches(entry.address)) continue;
    if (entry.live(port)) return &entry;
    if (found == nullptr && entry.current) found = &entry;
  }
  return found;
}

Endpoint RelayDirectory::add(const Endpoint& bound, ShardNumber shard, RelayTransport transport) {
  const auto entry = std::ranges::find_if(entries_, [&](const Entry& one) {
    return one.current && one.address.bound == bound.address;
  });
  if (entry == entries_.end()) return bound;
  const auto tcp = transport == RelayTransport::tcp ? for_tcp : 0;
  (*entry->ports)[bound.port].store(static_cast<std::uint16_t>((shard + 1) | tcp),
                                    std::memory_order_relaxed);
  return {entry->address.advertised, bound.port};
}

void RelayDirectory::remove(const Endpoint& advertised, const IpAddress& bound) {
  const auto entry =
      std::ranges::find(entries_, RelayAddress{advertised.address, bound}, &Entry::address);
  if (entry != entries_.end()) (*entry->ports)[advertised.port].store(0, std::memory_order_relaxed);
}

std::optional<ShardNumber> RelayDirectory::owner(const Endpoint& peer) const {
  for (const auto& entry : entries_) {
    if (!names(entry.address, peer.address)) continue;
    if (const auto owner = entry.at(peer.port); owner != 0 && owner < for_tcp) {
      return static_cast<ShardNumber>(owner - 1);
    }
  }
  return std::nullopt;
}

bool RelayDirectory::takes_connections(const Endpoint& peer) const {
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    return names(entry.address, peer.address) && entry.at(peer.port) > for_tcp;
  });
}

Endpoint RelayDirectory::to_bound(const Endpoint& peer) const {
  const auto* entry =
      find(peer.port, [&](const RelayAddress& relay) { return names(relay, peer.address); });
  return entry ? Endpoint{entry->address.bound, peer.port} : peer;
}

Endpoint RelayDirectory::to_advertised(const Endpoint& peer) const {
  const auto* entry =
      find(peer.port, [&](const RelayAddress& relay) { return names(relay, peer.address); });
  return entry ? Endpoint{entry->address.advertised, peer.port} : peer;
}

bool RelayDirectory::has(const IpAddress& address) const {
  return std::ranges::any_of(entries_,
                             [&](const Entry& entry) { return names(entry.address, address); });
}

bool RelayDirectory::serves(Family family) const {
  return std::ranges::any_of(entries_, [family](const Entry& entry) {
    return entry.current && entry.address.bound.family() == family;
  });
}

bool RelayDirectory::opens_on(const IpAddress& bound) const {
  return std::ranges::any_of(entries_, [&bound](const Entry& entry) {
    return entry.current && entry.address.bound == bound;
  });
}

bool RelayDirectory::settled() const { return std::ranges::all_of(entries_, &Entry::current); }

std::vector<IpAddress> RelayDirectory::addresses() const {
  std::vector<IpAddress> all;
  for (const auto& entry : entries_) {
    all.push_back(entry.address.advertised);
    all.push_back(entry.address.bound);
  }
  return all;
}

}  // namespace yuelao::turn

#include "protocol/turn/relay_directory.hpp"

#include <algorithm>

namespace yuelao::turn {
namespace {

constexpr std::uint64_t bit_of(std::uint16_t port) { return std::uint64_t{1} << port % 64U; }

}  // namespace

RelayDirectory::RelayDirectory(std::vector<RelayAddress> addresses)
    : addresses_{std::move(addresses)}, ports_{std::make_unique<Ports[]>(addresses_.size())} {}

bool RelayDirectory::live(const Endpoint& peer) const {
  const auto at = find(peer.address);
  if (!at) return false;
  const auto word = ports_[*at][peer.port / 64U].load(std::memory_order_relaxed);
  return (word & bit_of(peer.port)) != 0;
}

Endpoint RelayDirectory::to_bound(const Endpoint& peer) const {
  const auto at = find(peer.address);
  return at ? Endpoint{addresses_[*at].bound, peer.port} : peer;
}

Endpoint RelayDirectory::to_advertised(const Endpoint& peer) const {
  const auto at = find(peer.address);
  return at ? Endpoint{addresses_[*at].advertised, peer.port} : peer;
}

bool RelayDirectory::has(const IpAddress& address) const { return find(address).has_value(); }

bool RelayDirectory::serves(Family family) const {
  return std::ranges::any_of(addresses_, [family](const RelayAddress& address) {
    return address.bound.family() == family;
  });
}

void RelayDirectory::set(const Endpoint& advertised, bool live) {
  const auto at = find(advertised.address);
  if (!at) return;
  auto& word = ports_[*at][advertised.port / 64U];
  if (live) {
    word.fetch_or(bit_of(advertised.port), std::memory_order_relaxed);
  } else {
    word.fetch_and(~bit_of(advertised.port), std::memory_order_relaxed);
  }
}

std::optional<std::size_t> RelayDirectory::find(const IpAddress& address) const {
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    if (addresses_[i].advertised == address || addresses_[i].bound == address) return i;
  }
  return std::nullopt;
}

}  // namespace yuelao::turn

#include "protocol/turn/discovery_sites.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>

namespace yuelao::turn {
namespace {

constexpr std::size_t index_of(Transport transport, Family family) {
  return (transport == Transport::tcp ? 2U : 0U) + (family == Family::ipv6 ? 1U : 0U);
}

constexpr std::size_t changed(std::size_t index, stun::ChangeRequest change) {
  return index ^ (change.change_ip ? 2U : 0U) ^ (change.change_port ? 1U : 0U);
}

bool has(const Endpoint& local, const Endpoint& site) {
  const bool address = local.address == site.address || local.address.unspecified();
  return address && local.address.family() == site.address.family() && local.port == site.port;
}

}  // namespace

DiscoverySites::DiscoverySites(const BehaviorDiscovery& wanted) {
  std::array<std::size_t, 2> next{};  // of each family
  for (const auto& [advertised, bound] : wanted.addresses) {
    auto& at = next.at(bound.family() == Family::ipv6 ? 1 : 0);
    for (const auto port : wanted.ports) {
      for (const auto transport : {Transport::udp, Transport::tcp}) {
        auto& sites = squares_.at(index_of(transport, bound.family())).sites;
        sites.at(at) = {.bound = {bound, port}, .advertised = {advertised, port}};
      }
      ++at;
    }
  }
}

void DiscoverySites::add(Transport transport, SocketRef listener, const Endpoint& local) {
  if (transport == Transport::tls) return;
  auto& [sites, served] = squares_.at(index_of(transport, local.address.family()));
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (!has(local, sites.at(i).bound)) continue;
    // The kernel gives datagrams to the socket that is bound to the address itself.
    if (served.at(i) && local.address.unspecified()) continue;
    sites.at(i).listener = listener;
    served.at(i) = true;
  }
}

const DiscoverySite* DiscoverySites::find(Transport transport, const Endpoint& at,
                                          stun::ChangeRequest change) const {
  if (transport == Transport::tls) return nullptr;
  const auto& [sites, served] = squares_.at(index_of(transport, at.address.family()));
  if (!std::ranges::all_of(served, std::identity{})) return nullptr;
  const auto* const here = std::ranges::find(sites, at, &DiscoverySite::bound);
  if (here == sites.end()) return nullptr;
  return &sites.at(changed(static_cast<std::size_t>(here - sites.begin()), change));
}

}  // namespace yuelao::turn

// A relay is not to look for hosts or services: an allocation may begin to talk to so many
// addresses, and ports of them, a minute.

#include <algorithm>

#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

// A bucket is filled by the second, and limits are those of a minute.
constexpr std::size_t cost_of_one = 60;

}  // namespace

// Whether the allocation may have `count` more now; then they are counted. A client's prefix has
// a limit too, or else a new allocation would begin with nothing counted.
bool Engine::admit_new_peers(Allocation& allocation, std::size_t count, Now now) {
  const auto cost = count * cost_of_one;
  const auto& limits = options_.limits;
  const auto of_allocation = limits.new_peers_per_allocation;
  if (of_allocation != 0 &&
      !allocation.new_peers.take(cost, of_allocation, now.steady, new_peers_burst)) {
    return false;
  }
  // Each shard has its part, which is enough for one allocation at least.
  const auto of_prefix = limits.new_peers_per_prefix;
  if (of_prefix == 0 || std::ranges::any_of(limits.proxies, [&](const IpRange& proxy) {
        return proxy.contains(allocation.counted);
      })) {
    return true;
  }
  const Bandwidth part = std::max<Bandwidth>(of_prefix / shards_, of_allocation);
  return scanners_.spend(allocation.counted, cost, std::max<Bandwidth>(part, 1), now.steady);
}

// Whether a datagram may go to this port of a peer that there is a permission for.
bool Engine::admit_port(Allocation& allocation, Permission& permission, std::uint16_t port,
                        Now now) {
  if (permission.knows(port)) return true;
  if (!admit_new_peers(allocation, 1, now)) return false;
  permission.note(port);
  return true;
}

}  // namespace yuelao::turn

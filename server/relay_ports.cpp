#include "server/relay_ports.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "protocol/bytes.hpp"

namespace yuelao::server {

PortRange slice_of(PortRange range, unsigned index, unsigned count) {
  const auto offset = [&](unsigned shard) { return range.size() * shard / count; };
  return {static_cast<std::uint16_t>(range.first + offset(index)),
          static_cast<std::uint16_t>(range.first + offset(index + 1) - 1)};
}

RelayPorts::RelayPorts(PortRange range, Random& random) : random_{&random}, free_(range.size()) {
  std::iota(free_.begin(), free_.end(), range.first);
}

std::optional<std::uint16_t> RelayPorts::take(turn::Parity parity) {
  if (free_.empty()) return std::nullopt;
  std::array<std::byte, 4> drawn{};
  random_->fill(drawn);
  // At most 65536 ports: the modulo's bias is below 2^-16.
  const auto start = free_.begin() + static_cast<std::ptrdiff_t>(load_u32(drawn) % free_.size());
  const auto will_do = [parity](std::uint16_t port) {
    return parity == turn::Parity::any || port % 2 == 0;
  };
  auto found = std::find_if(start, free_.end(), will_do);
  if (found == free_.end()) found = std::find_if(free_.begin(), start, will_do);
  if (found == free_.end() || !will_do(*found)) return std::nullopt;
  std::swap(*found, free_.back());
  const std::uint16_t port = free_.back();
  free_.pop_back();
  return port;
}

}  // namespace yuelao::server

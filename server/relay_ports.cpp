#include "server/relay_ports.hpp"

#include <algorithm>
#include <array>
#include <bitset>
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
  const auto start = free_.begin() + static_cast<std::ptrdiff_t>(draw());
  const auto will_do = [parity](std::uint16_t port) {
    return parity == turn::Parity::any || port % 2 == 0;
  };
  auto found = std::find_if(start, free_.end(), will_do);
  if (found == free_.end()) found = std::find_if(free_.begin(), start, will_do);
  if (found == free_.end() || !will_do(*found)) return std::nullopt;
  return take_at(static_cast<std::size_t>(found - free_.begin()));
}

// Looks at every port: pairs are asked for seldom, and a second index would cost every relay.
std::optional<std::uint16_t> RelayPorts::take_pair() {
  if (free_.empty()) return std::nullopt;
  std::bitset<65536> is_free;
  for (const auto port : free_) is_free.set(port);
  const auto start = draw();
  for (std::size_t i = 0; i < free_.size(); ++i) {
    const auto index = (start + i) % free_.size();
    const std::size_t port = free_[index];
    if (port % 2 != 0 || !is_free.test(port + 1)) continue;
    take_at(index);
    const auto next = std::ranges::find(free_, port + 1);
    take_at(static_cast<std::size_t>(next - free_.begin()));
    return static_cast<std::uint16_t>(port);
  }
  return std::nullopt;
}

// Where to begin to look.
std::size_t RelayPorts::draw() const {
  std::array<std::byte, 4> drawn{};
  random_->fill(drawn);
  // At most 65536 ports: the modulo's bias is below 2^-16.
  return load_u32(drawn) % free_.size();
}

std::uint16_t RelayPorts::take_at(std::size_t index) {
  std::swap(free_[index], free_.back());
  const std::uint16_t port = free_.back();
  free_.pop_back();
  return port;
}

}  // namespace yuelao::server

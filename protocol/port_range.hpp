#pragma once

#include <cstddef>
#include <cstdint>

namespace yuelao {

// An inclusive range of ports.
struct PortRange {
  std::uint16_t first;
  std::uint16_t last;

  constexpr std::size_t size() const { return std::size_t{last} - first + 1; }

  friend bool operator==(const PortRange&, const PortRange&) = default;
};

}  // namespace yuelao

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/bytes.hpp"

namespace yuelao::fuzz {

// How much of a stream has arrived each time somebody looks: one octet more, or pieces of 1 to 64
// octets in an order that `seed` decides. `smallest` bounds the work where looking costs as much
// as what has arrived.
class Arrivals {
 public:
  enum class Cut : std::uint8_t { every_octet, anywhere };

  Arrivals(std::size_t size, Cut cut, unsigned seed = 0, std::size_t smallest = 1)
      : size_{size}, cut_{cut}, state_{seed}, smallest_{smallest} {}

  bool more() const { return arrived_ < size_; }
  std::size_t next() {
    arrived_ = std::min(size_, arrived_ + std::max(smallest_, step()));
    return arrived_;
  }

 private:
  std::size_t step() {
    if (cut_ == Cut::every_octet) return 1;
    state_ = state_ * 1'103'515'245U + 12'345U;
    return (state_ >> 16U) % 64 + 1;
  }

  std::size_t size_;
  Cut cut_;
  unsigned state_;
  std::size_t smallest_;
  std::size_t arrived_ = 0;
};

// In memory that ends where they do, so that AddressSanitizer sees who reads beyond.
inline std::vector<std::byte> alone(Bytes octets) { return {octets.begin(), octets.end()}; }

}  // namespace yuelao::fuzz

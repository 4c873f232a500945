#pragma once

#include <algorithm>
#include <cstddef>

#include "protocol/bytes.hpp"

namespace yuelao::fuzz {

// The input as a source of choices; zeros once it is used up.
class Script {
 public:
  explicit Script(Bytes octets) : octets_{octets} {}
  bool over() const { return octets_.empty(); }
  unsigned choose(unsigned count) {
    if (over()) return 0;
    const auto value = std::to_integer<unsigned>(octets_[0]);
    octets_ = octets_.subspan(1);
    return value % count;
  }
  Bytes take(std::size_t size) {
    const auto taken = octets_.first(std::min(size, octets_.size()));
    octets_ = octets_.subspan(taken.size());
    return taken;
  }

 private:
  Bytes octets_;
};

}  // namespace yuelao::fuzz

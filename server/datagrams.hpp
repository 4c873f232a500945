#pragma once

#include <cstddef>
#include <vector>

#include "protocol/bytes.hpp"

namespace yuelao::server {

// Datagrams one behind another, in the order they are to leave. Keeps its memory when cleared.
class Datagrams {
 public:
  void add(Bytes datagram) {
    octets_.insert(octets_.end(), datagram.begin(), datagram.end());
    ends_.push_back(octets_.size());
  }
  void clear() {
    octets_.clear();
    ends_.clear();
  }
  std::size_t count() const { return ends_.size(); }
  std::size_t bytes() const { return octets_.size(); }
  // Lives until the next add() or clear().
  Bytes operator[](std::size_t index) const {
    const auto begin = index == 0 ? 0 : ends_[index - 1];
    return Bytes{octets_}.subspan(begin, ends_[index] - begin);
  }

 private:
  std::vector<std::byte> octets_;
  std::vector<std::size_t> ends_;
};

}  // namespace yuelao::server

#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "protocol/bytes.hpp"

namespace yuelao::server {

// Memory that the streams of a shard use by turns, so that those that are idle hold none.
class StreamBuffers {
 public:
  // What is read from the kernel at once: some records, or a burst of media.
  static constexpr std::size_t wire_bytes = std::size_t{16} * 1024;

  // What was read and is not decrypted yet; of no meaning after that.
  MutableBytes wire() { return wire_; }

  // An empty vector with room from former use, where there is one.
  std::vector<std::byte> take() {
    if (spare_.empty()) return {};
    auto taken = std::move(spare_.back());
    spare_.pop_back();
    return taken;
  }
  // Takes the memory out of `used`.
  void give_back(std::vector<std::byte>& used) {
    std::vector<std::byte> back;
    back.swap(used);
    if (back.capacity() == 0 || spare_.size() == spare_limit) return;
    back.clear();
    spare_.push_back(std::move(back));
  }

 private:
  static constexpr std::size_t spare_limit = 64;

  std::array<std::byte, wire_bytes> wire_{};
  std::vector<std::vector<std::byte>> spare_;
};

}  // namespace yuelao::server

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

  // What waits for clients that do not read fast enough, all of them together: beyond this they
  // get no more of what others send them.
  static constexpr std::size_t most_waiting = std::size_t{32} * 1024 * 1024;
  explicit StreamBuffers(std::size_t most = most_waiting) : most_{most} {}
  bool full() const { return waiting_ > most_; }
  // Of one stream: so much waited when this was called last, so much does now.
  void note_waiting(std::size_t before, std::size_t now) { waiting_ = waiting_ - before + now; }

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

  std::size_t most_;
  std::size_t waiting_ = 0;
  std::array<std::byte, wire_bytes> wire_{};
  std::vector<std::vector<std::byte>> spare_;
};

}  // namespace yuelao::server

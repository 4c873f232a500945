#pragma once

#include <atomic>
#include <cstdint>

namespace yuelao::server {

// How many stream clients there may be at the same time, over all shards. Without it
// strangers could take every descriptor, and calls could open no relay.
class ConnectionLimit {
 public:
  explicit ConnectionLimit(std::uint32_t limit) : limit_{limit} {}

  // On true the connection is counted until release().
  bool admit() {
    if (open_.fetch_add(1, std::memory_order_relaxed) < limit_.load(std::memory_order_relaxed)) {
      return true;
    }
    release();
    return false;
  }
  void release() { open_.fetch_sub(1, std::memory_order_relaxed); }
  void set(std::uint32_t limit) { limit_.store(limit, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> limit_;
  std::atomic<std::uint32_t> open_ = 0;
};

}  // namespace yuelao::server

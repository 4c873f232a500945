#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/endpoint.hpp"
#include "protocol/ip_range.hpp"

namespace yuelao::server {

// How many stream clients and DTLS associations there may be at the same time, over all shards:
// altogether, or else strangers could take every descriptor and calls could open no relay, and of
// one IPv4 address or IPv6 /64, or else one host could take every place. For any thread.
class ConnectionLimit {
 public:
  struct Bounds {
    std::uint32_t all;
    std::uint32_t per_prefix = 0;  // 0: no limit of a prefix's own
    // Their connections are not counted by prefix: each stands for many clients.
    std::vector<IpRange> proxies{};
  };

  // A connection counts for as long as its place lives; the limit outlives it.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : limit_{std::exchange(other.limit_, nullptr)}, prefix_{other.prefix_} {}
    Place& operator=(Place&& other) noexcept {
      std::swap(limit_, other.limit_);
      std::swap(prefix_, other.prefix_);
      return *this;
    }
    ~Place() {
      if (limit_ != nullptr) limit_->leave(prefix_);
    }

    explicit operator bool() const { return limit_ != nullptr; }
    // Under which it is counted, if under any.
    const std::optional<IpAddress>& prefix() const { return prefix_; }

   private:
    friend class ConnectionLimit;
    Place(ConnectionLimit& limit, std::optional<IpAddress> prefix)
        : limit_{&limit}, prefix_{prefix} {}

    ConnectionLimit* limit_ = nullptr;
    std::optional<IpAddress> prefix_;
  };

  explicit ConnectionLimit(Bounds bounds) : bounds_{std::move(bounds)} {}

  // An empty one where there is no room, or no memory. `client` is who is at the other end of the
  // connection, be it a proxy.
  Place admit(const IpAddress& client);
  // For new ones; those that are open stay.
  void set(Bounds bounds);

 private:
  void leave(const std::optional<IpAddress>& prefix);

  std::mutex mutex_;
  Bounds bounds_;
  std::uint32_t open_ = 0;
  boost::unordered_flat_map<IpAddress, std::uint32_t> of_prefix_;
};

}  // namespace yuelao::server

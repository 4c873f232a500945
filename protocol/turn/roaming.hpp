#pragma once

#include <atomic>
#include <cstddef>
#include <optional>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/endpoint.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

// Clients whose datagrams the kernel gives to another shard than the one that has their allocation,
// because they have moved (RFC 8016): by five-tuple, the shard that they belong to. Each shard sets
// and removes its own; all of them look up whom they do not know.
class Roaming {
 public:
  virtual ~Roaming() = default;

  virtual void set(const FiveTuple& client, ShardNumber owner) = 0;
  // Nothing where it is another shard's by now.
  virtual void remove(const FiveTuple& client, ShardNumber owner) = 0;
  virtual std::optional<ShardNumber> find(const FiveTuple& client) = 0;

  // How many there were a moment ago; costs a packet next to nothing.
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 protected:
  void note_size(std::size_t size) { size_.store(size, std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> size_ = 0;
};

// For one thread at a time.
class RoamingTable final : public Roaming {
 public:
  void set(const FiveTuple& client, ShardNumber owner) override {
    owners_.insert_or_assign(client, owner);
    note_size(owners_.size());
  }
  void remove(const FiveTuple& client, ShardNumber owner) override {
    const auto found = owners_.find(client);
    if (found == owners_.end() || found->second != owner) return;
    owners_.erase(found);
    note_size(owners_.size());
  }
  std::optional<ShardNumber> find(const FiveTuple& client) override {
    const auto found = owners_.find(client);
    if (found == owners_.end()) return std::nullopt;
    return found->second;
  }

 private:
  boost::unordered_flat_map<FiveTuple, ShardNumber> owners_;
};

}  // namespace yuelao::turn

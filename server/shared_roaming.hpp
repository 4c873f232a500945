#pragma once

#include <mutex>

#include "protocol/turn/roaming.hpp"

namespace yuelao::server {

// One table for all shards. Looked into for datagrams of unknown clients alone, and for these only
// while a client is away from its shard, so a mutex is cheap enough.
class SharedRoaming final : public turn::Roaming {
 public:
  void set(const FiveTuple& client, turn::ShardNumber owner) override {
    const std::lock_guard lock{mutex_};
    table_.set(client, owner);
    note_size(table_.size());
  }
  void remove(const FiveTuple& client, turn::ShardNumber owner) override {
    const std::lock_guard lock{mutex_};
    table_.remove(client, owner);
    note_size(table_.size());
  }
  std::optional<turn::ShardNumber> find(const FiveTuple& client) override {
    const std::lock_guard lock{mutex_};
    return table_.find(client);
  }

 private:
  std::mutex mutex_;
  turn::RoamingTable table_;
};

}  // namespace yuelao::server

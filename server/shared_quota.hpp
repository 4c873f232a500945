#pragma once

#include <mutex>

#include "protocol/turn/quota.hpp"
#include "server/memory_reserve.hpp"

namespace yuelao::server {

// One ledger for all shards, which is full where no memory is left. Asked once an allocation or
// connection, so a mutex is cheap enough.
class SharedQuota final : public turn::Quota {
 public:
  explicit SharedQuota(const turn::Limits& limits) : ledger_{limits} {}

  turn::Admission admit(std::string_view user, const IpAddress& client) override {
    if (memory_reserve::used()) return turn::Admission::server_full;
    const std::lock_guard lock{mutex_};
    return ledger_.admit(user, client);
  }
  void release(std::string_view user, const IpAddress& client) override {
    const std::lock_guard lock{mutex_};
    ledger_.release(user, client);
  }
  turn::Admission admit_connection(std::string_view user) override {
    if (memory_reserve::used()) return turn::Admission::server_full;
    const std::lock_guard lock{mutex_};
    return ledger_.admit_connection(user);
  }
  void release_connection(std::string_view user) override {
    const std::lock_guard lock{mutex_};
    ledger_.release_connection(user);
  }
  turn::Admission move(const IpAddress& from, const IpAddress& to, std::uint32_t count) override {
    const std::lock_guard lock{mutex_};
    return ledger_.move(from, to, count);
  }
  void set_limits(const turn::Limits& limits) {
    const std::lock_guard lock{mutex_};
    ledger_.set_limits(limits);
  }

 private:
  std::mutex mutex_;
  turn::QuotaLedger ledger_;
};

}  // namespace yuelao::server

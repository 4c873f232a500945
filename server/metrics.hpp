#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "server/meters.hpp"

namespace yuelao::server {

// What a scrape tells beside what the shards count.
struct ServerFacts {
  std::string version;
  // When the certificate in use stops being valid; empty without TLS.
  std::optional<std::chrono::sys_seconds> certificate_expiry;
  std::uint64_t lost_log_lines = 0;
  std::uint64_t address_changes = 0;
  std::uint64_t address_check_failures = 0;
};

// Every metric in Prometheus' text format, version 0.0.4; docs/monitoring.md lists them.
// Shards are summed. No label carries an address or a user name.
std::string metrics_text(std::span<const ShardSnapshot> shards, const ServerFacts& facts);

}  // namespace yuelao::server

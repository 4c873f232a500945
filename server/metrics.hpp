#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "server/meters.hpp"
#include "server/sandbox/sandbox.hpp"

namespace yuelao::server {

// How requests for credentials over HTTP ended.
enum class CredentialOutcome : std::uint8_t { issued, misunderstood, wrong_key, too_many, failed };
inline constexpr std::size_t credential_outcomes = 5;
using CredentialCounters = std::array<std::uint64_t, credential_outcomes>;

// What a scrape tells beside what the shards count.
struct ServerFacts {
  std::string version;
  // When the certificate in use stops being valid; empty without TLS.
  std::optional<std::chrono::sys_seconds> certificate_expiry;
  std::uint64_t lost_log_lines = 0;
  std::uint64_t address_changes = 0;
  std::uint64_t address_check_failures = 0;
  CredentialCounters credentials{};
  Sandbox sandbox{};
};

// Every metric in Prometheus' text format, version 0.0.4; docs/monitoring.md lists them.
// Shards are summed. No label carries an address or a user name.
std::string metrics_text(std::span<const ShardSnapshot> shards, const ServerFacts& facts);

}  // namespace yuelao::server

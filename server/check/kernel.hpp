#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "server/probe/report.hpp"

namespace yuelao::check {

// What the kernel allows; empty where it does not say, as in a container.
struct Kernel {
  std::optional<std::uint64_t> receive_buffer;  // octets: net.core.rmem_max
  std::optional<std::uint64_t> send_buffer;     // net.core.wmem_max
  std::optional<std::uint64_t> descriptors;     // of the server's process
  // Ports that go to whoever asks for any: net.ipv4.ip_local_port_range.
  std::optional<std::pair<std::uint16_t, std::uint16_t>> local_ports;
  std::optional<std::uint64_t> tracked;          // connections that a firewall remembers
  std::optional<std::uint64_t> longest_tracked;  // and how many it can
};

// `process` is the server's, if it runs.
Kernel read_kernel(std::optional<int> process);

// Whether that is enough for what the configuration promises.
std::vector<probe::Step> judge_kernel(const config::Config& config, const Kernel& kernel);

}  // namespace yuelao::check

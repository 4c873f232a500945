#include "server/check/kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace yuelao::check {
namespace {

using probe::Step;
using probe::Verdict;

// systemd/60-yuelao-sysctl.conf
constexpr std::uint64_t wanted_buffer_bytes = 4UL * 1024 * 1024;

// Listeners, epoll, timers, the log and such, a shard.
constexpr std::uint64_t descriptors_besides = 64;

std::optional<std::uint64_t> read_number(const std::string& file) {
  std::uint64_t number = 0;
  if (std::ifstream{file} >> number) return number;
  return std::nullopt;
}

std::optional<std::pair<std::uint16_t, std::uint16_t>> read_ports(const std::string& file) {
  std::pair<std::uint16_t, std::uint16_t> ports;
  if (std::ifstream{file} >> ports.first >> ports.second) return ports;
  return std::nullopt;
}

// proc(5): "Max open files            1024                 524288               files"
std::optional<std::uint64_t> descriptor_limit(int process) {
  constexpr std::string_view title = "Max open files";
  std::ifstream file{"/proc/" + std::to_string(process) + "/limits"};
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(title)) continue;
    try {
      return std::stoull(line.substr(title.size()));
    } catch (const std::exception&) {
      return std::nullopt;  // "unlimited"
    }
  }
  return std::nullopt;
}

Step judge_buffers(const Kernel& kernel) {
  if (!kernel.receive_buffer || !kernel.send_buffer) {
    return {"buffers", Verdict::skipped,
            "The kernel does not show its socket buffers here, as in a container: see to "
            "net.core.rmem_max and wmem_max on the machine itself."};
  }
  const auto smaller = std::min(*kernel.receive_buffer, *kernel.send_buffer);
  if (smaller >= wanted_buffer_bytes) {
    return {"buffers", Verdict::works, "Socket buffers may be 4 MiB and more."};
  }
  return {"buffers", Verdict::attention,
          fmt::format("Socket buffers may be {} KiB only, so bursts of many calls at once lose "
                      "packets: set net.core.rmem_max and net.core.wmem_max to {} by sysctl, as "
                      "the service's 60-yuelao-sysctl.conf does.",
                      smaller / 1024, wanted_buffer_bytes)};
}

Step judge_descriptors(const config::Config& config, std::uint64_t limit) {
  const std::uint64_t calls = config.turn.limits.allocations;
  const std::uint64_t needed = calls + config.connections + descriptors_besides;
  if (limit >= needed) {
    return {"descriptors", Verdict::works, fmt::format("The server may open {} files.", limit)};
  }
  return {"descriptors", Verdict::attention,
          fmt::format("The server may open {} files, and `limits` allow {} allocations and {} "
                      "connections: raise the limit to {} (LimitNOFILE= of the systemd service, "
                      "or ulimit -n), or lower `limits`.",
                      limit, calls, config.connections, needed)};
}

bool both_families(const config::Config& config) {
  const auto& relays = config.turn.relay_addresses;
  return std::ranges::any_of(relays, [&](const turn::RelayAddress& relay) {
    return relay.bound.family() != relays.front().bound.family();
  });
}

Step judge_ports(const config::Config& config, const Kernel& kernel) {
  const auto [first, last] = std::pair{config.relay.first_port, config.relay.last_port};
  const unsigned ports = last - first + 1U;
  auto text = fmt::format("{} relay ports ({} to {}) for at most {} allocations", ports, first,
                          last, config.turn.limits.allocations);
  if (both_families(config)) text += ", of IPv4 and of IPv6 each";
  // Every call needs two: there are two sides.
  constexpr unsigned few = 100;
  if (ports < few) {
    return {"relay ports", Verdict::attention,
            text +
                ": that is few, and one that is used up refuses callers with 508. Widen "
                "`relay.ports`."};
  }
  const bool shared = kernel.local_ports && kernel.local_ports->first <= last &&
                      kernel.local_ports->second >= first;
  if (shared) {
    text += fmt::format(", shared with whatever asks for any port ({} to {})",
                        kernel.local_ports->first, kernel.local_ports->second);
  }
  return {"relay ports", Verdict::works, text + "."};
}

Step judge_tracking(std::uint64_t tracked, std::uint64_t longest) {
  auto text = fmt::format("The firewall remembers {} connections, and can {}", tracked, longest);
  if (10 * tracked < 9 * longest) return {"connection tracking", Verdict::works, text + "."};
  return {"connection tracking", Verdict::attention,
          text +
              ": soon it drops packets. Raise net.netfilter.nf_conntrack_max, or exempt the "
              "relay ports (notrack)."};
}

}  // namespace

Kernel read_kernel(std::optional<int> process) {
  const std::string sys = "/proc/sys/net/";
  return {.receive_buffer = read_number(sys + "core/rmem_max"),
          .send_buffer = read_number(sys + "core/wmem_max"),
          .descriptors = process ? descriptor_limit(*process) : std::nullopt,
          .local_ports = read_ports(sys + "ipv4/ip_local_port_range"),
          .tracked = read_number(sys + "netfilter/nf_conntrack_count"),
          .longest_tracked = read_number(sys + "netfilter/nf_conntrack_max")};
}

std::vector<Step> judge_kernel(const config::Config& config, const Kernel& kernel) {
  std::vector<Step> steps{judge_buffers(kernel)};
  if (kernel.descriptors) steps.push_back(judge_descriptors(config, *kernel.descriptors));
  steps.push_back(judge_ports(config, kernel));
  if (kernel.tracked && kernel.longest_tracked) {
    steps.push_back(judge_tracking(*kernel.tracked, *kernel.longest_tracked));
  }
  return steps;
}

}  // namespace yuelao::check

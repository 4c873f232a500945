#pragma once

#include <cstdint>

namespace yuelao::server {

// What /proc and getrusage(2) say of this process, under the names every Prometheus
// client library uses. A value that cannot be read is 0.
struct ProcessMetrics {
  double cpu_seconds = 0;
  std::uint64_t resident_memory_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t maximum_descriptors = 0;
  double start_time_seconds = 0;  // Unix time
};

// The first call opens what the others read.
ProcessMetrics read_process_metrics();

}  // namespace yuelao::server

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>

namespace yuelao::bench {

// What another process has used so far, all its threads together.
struct ProcessUsage {
  // User and system time. The clock counts nanoseconds; /proc/PID/stat says the same in
  // hundredths of a second, which is too coarse for a short run.
  std::chrono::nanoseconds cpu{};
  // The share of `cpu` spent in the kernel, from /proc/PID/stat: only good for a hint.
  std::chrono::milliseconds system{};
  std::uint64_t resident_bytes = 0;  // VmRSS

  // Throws std::runtime_error when the process is gone.
  static ProcessUsage of(pid_t pid);
};

}  // namespace yuelao::bench

#include "server/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace yuelao::server {
namespace {

double cpu_seconds() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// proc(5): the second field of statm, in pages.
std::uint64_t resident_memory_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (!(statm >> size >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t open_descriptors() {
  std::error_code error;
  std::filesystem::directory_iterator entries{"/proc/self/fd", error};
  std::uint64_t count = 0;
  for (; !error && entries != std::filesystem::directory_iterator{}; entries.increment(error)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // one is the directory being read
}

std::uint64_t maximum_descriptors() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

double seconds_on(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// proc(5): field 22 of stat counts clock ticks since the machine started. The second
// field is a name that may hold anything, so counting starts behind its closing
// parenthesis, where field 3 is. /proc/stat, which tells when the machine started, is
// hidden from a hardened service, so that is computed.
double start_time_seconds() {
  std::ifstream stat{"/proc/self/stat"};
  std::string line;
  std::getline(stat, line);
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields{line.substr(name_end + 1)};
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  double ticks = 0;
  fields >> ticks;
  const double machine_started = seconds_on(CLOCK_REALTIME) - seconds_on(CLOCK_BOOTTIME);
  return machine_started + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

ProcessMetrics read_process_metrics() {
  static const double started = start_time_seconds();
  return {cpu_seconds(), resident_memory_bytes(), open_descriptors(), maximum_descriptors(),
          started};
}

}  // namespace yuelao::server

#include "server/process_metrics.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

#include "server/file_descriptor.hpp"

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

// /proc is closed to a server in its sandbox, so these stay open.
class OwnFiles {
 public:
  OwnFiles()
      : memory_{::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)},
        descriptors_{::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)} {}

  // proc(5): the second field of statm, in pages.
  std::uint64_t resident_memory_bytes() const {
    std::array<char, 128> text{};
    const auto size = ::pread(memory_.value(), text.data(), text.size() - 1, 0);
    if (size <= 0) return 0;
    std::istringstream fields{std::string{text.data(), static_cast<std::size_t>(size)}};
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    if (!(fields >> all >> resident)) return 0;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }

  std::uint64_t open_descriptors() const {
    ::lseek(descriptors_.value(), 0, SEEK_SET);
    alignas(dirent64) std::array<char, 4096> entries{};
    std::uint64_t count = 0;
    while (true) {
      const auto size = ::getdents64(descriptors_.value(), entries.data(), entries.size());
      if (size <= 0) break;
      for (ssize_t at = 0; at < size; ++count) {
        at += reinterpret_cast<const dirent64*>(entries.data() + at)->d_reclen;
      }
    }
    return count > 2 ? count - 2 : 0;  // "." and ".."
  }

 private:
  FileDescriptor memory_;
  FileDescriptor descriptors_;
};

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
  static const OwnFiles files;
  return {cpu_seconds(), files.resident_memory_bytes(), files.open_descriptors(),
          maximum_descriptors(), started};
}

}  // namespace yuelao::server

#include "tests/bench/process_usage.hpp"

#include <unistd.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>

namespace yuelao::bench {
namespace {

std::string read_file(pid_t pid, const char* name) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/" + name};
  if (!file) throw std::runtime_error{"the server's process is gone"};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::chrono::nanoseconds cpu_time(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
    throw std::runtime_error{"the server's process is gone"};
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

// Field `number` of proc(5)'s stat, counted from 1 as there; it must lie behind the
// second, the program's name, which may contain anything.
std::uint64_t stat_field(const std::string& stat, int number) {
  std::istringstream fields{stat.substr(stat.rfind(')') + 2)};
  std::string field;
  for (int i = 3; i <= number; ++i) fields >> field;
  return std::stoull(field);
}

}  // namespace

ProcessUsage ProcessUsage::of(pid_t pid) {
  constexpr int stime = 15;
  constexpr int rss = 24;
  const auto ticks_a_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto stat = read_file(pid, "stat");
  ProcessUsage usage;
  usage.cpu = cpu_time(pid);
  usage.system = std::chrono::milliseconds{stat_field(stat, stime) * 1000 / ticks_a_second};
  usage.resident_bytes = stat_field(stat, rss) * page_bytes;
  return usage;
}

}  // namespace yuelao::bench

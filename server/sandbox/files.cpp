#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "server/file_descriptor.hpp"
#include "server/sandbox/sandbox.hpp"
#include "server/sandbox/sanitized.hpp"

namespace yuelao::server {
namespace {

// landlock(7). The headers of Debian 12 end with the second version of three.
constexpr std::uint64_t truncate_files = 1ULL << 14U;
constexpr std::uint64_t control_devices = 1ULL << 15U;
constexpr std::uint64_t abstract_sockets = 1ULL << 0U;
constexpr std::uint64_t signals = 1ULL << 1U;

struct Attributes {
  std::uint64_t files = 0;
  std::uint64_t network = 0;  // left alone: UDP is not in it, and TCP relays take any port
  std::uint64_t scoped = 0;
};
constexpr std::size_t attributes_before_version_6 = sizeof(std::uint64_t);

constexpr std::uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t keeping = reading | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;
constexpr std::uint64_t of_a_file = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;

// Everything that a version can refuse.
std::uint64_t refusable(long version) {
  std::uint64_t rights = LANDLOCK_ACCESS_FS_REFER - 1;  // those of version 1 are all below it
  if (version >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) rights |= truncate_files;
  if (version >= 5) rights |= control_devices;
  return rights;
}

Attributes attributes_of(long version) {
  Attributes attributes{.files = refusable(version)};
  if (version < 6) return attributes;
  attributes.scoped = signals;
  // sd_notify(3): systemd's socket may be an abstract one.
  const char* notify = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  if (notify == nullptr || *notify != '@') attributes.scoped |= abstract_sockets;
  return attributes;
}

// What does not exist cannot be named, and will not be found later.
void allow(int ruleset, const std::filesystem::path& place, std::uint64_t rights) {
  const FileDescriptor at{::open(place.c_str(), O_PATH | O_CLOEXEC)};
  struct stat status{};
  if (!at.open() || ::fstat(at.value(), &status) != 0) return;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = S_ISDIR(status.st_mode) ? rights : rights & of_a_file;
  rule.parent_fd = at.value();
  ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U);
}

std::string failure() { return std::string{"Landlock: "} + std::strerror(errno); }

}  // namespace

std::optional<std::string> restrict_files(const Places& places) {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return failure();
  const Attributes attributes = attributes_of(version);
  const std::size_t size = version < 6 ? attributes_before_version_6 : sizeof attributes;
  const FileDescriptor ruleset{
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0U))};
  if (!ruleset.open()) return failure();
  for (const auto& place : places.read) allow(ruleset.value(), place, reading);
  for (const auto& place : places.write) allow(ruleset.value(), place, keeping);
  if constexpr (sanitized) {
    for (const auto* place : {"/proc", "/usr", "/lib"}) allow(ruleset.value(), place, reading);
    allow(ruleset.value(), std::filesystem::read_symlink("/proc/self/exe"), reading);
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.value(), 0U) != 0) return failure();
  return std::nullopt;
}

}  // namespace yuelao::server

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "server/inherited_sockets.hpp"
#include "server/sandbox/sandbox.hpp"

namespace yuelao::server {

// What a program run later could be given: empty already where no_new_privs holds, and only a
// process with CAP_SETPCAP may say so here.
static void empty_bounding_set() {
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
       ++capability) {
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

namespace {

using Sets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

bool set(const Sets& sets) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

// Those it has; empty sets where nobody says.
Sets get() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  Sets sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return {};
  return sets;
}

bool any(const Sets& sets) {
  return std::ranges::any_of(sets, [](const auto& set) { return set.permitted != 0; });
}

}  // namespace

// Root's come back with each program.
bool capabilities_stick() {
  const auto sets = get();
  return ::geteuid() != 0 && any(sets) && !set(sets);
}

std::optional<std::string> give_up_capabilities() {
  empty_bounding_set();
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (set({})) return std::nullopt;
  auto reason = std::string{"capset: "} + std::strerror(errno);
  // It began anew without any, and what it could be given is of no use with no_new_privs.
  if (begun_anew() && !any(get())) return std::nullopt;
  return reason;
}

std::optional<std::string> refuse_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) return std::nullopt;
  return std::string{"prctl: "} + std::strerror(errno);
}

}  // namespace yuelao::server

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <utility>

#include "server/sandbox/calls.hpp"
#include "server/sandbox/sandbox.hpp"
#include "server/sandbox/sanitized.hpp"

namespace yuelao::server {
namespace {

using Condition = scmp_arg_cmp;

Condition is(unsigned argument, scmp_datum_t value) {
  return {.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}

Condition bits_are(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

// What is not in it fails as on a kernel that does not have the call: libraries know what to do
// then, also about calls that are younger than this list.
class Filter {
 public:
  Filter() : context_{::seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), ::seccomp_release} {
    if (context_ == nullptr) error_ = -ENOMEM;
    // Every thread that there is, whatever a library has started.
    set(SCMP_FLTATR_CTL_TSYNC, 1);
    set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    // Where kernels before 5.16 see a filter they slow the processor down, against code of
    // others in the same process. There is none here.
    attempt(SCMP_FLTATR_CTL_SSB, 1);
    attempt(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree, not a list
  }

  void add(std::uint32_t action, const char* call, std::initializer_list<Condition> when = {}) {
    const int number = ::seccomp_syscall_resolve_name(call);
    if (number == __NR_SCMP_ERROR || error_ != 0) return;
    error_ = ::seccomp_rule_add_array(context_.get(), action, number,
                                      static_cast<unsigned>(when.size()), when.begin());
    // A call of another kind of machine.
    if (error_ == -EDOM) error_ = 0;
  }
  void allow(const char* call, std::initializer_list<Condition> when = {}) {
    add(SCMP_ACT_ALLOW, call, when);
  }

  // 0, or what errno would be.
  int load() {
    if (error_ == 0) error_ = ::seccomp_load(context_.get());
    return -error_;
  }

 private:
  void set(scmp_filter_attr attribute, std::uint32_t value) {
    if (error_ == 0) error_ = ::seccomp_attr_set(context_.get(), attribute, value);
  }
  void attempt(scmp_filter_attr attribute, std::uint32_t value) {
    if (error_ == 0) ::seccomp_attr_set(context_.get(), attribute, value);
  }

  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int error_ = 0;
};

// Constants of the kernel's headers, whatever type each of them has.
using Data = std::initializer_list<scmp_datum_t>;

// TCP and UDP, what getifaddrs(3) and AddressWatch ask the kernel, and unix sockets for systemd
// and the name service. No raw sockets, no packets, no other protocol of the kernel's.
void allow_sockets(Filter& filter) {
  constexpr scmp_datum_t kind = 0xF;  // beside SOCK_CLOEXEC and SOCK_NONBLOCK
  for (const auto family : Data{AF_INET, AF_INET6}) {
    for (const auto& [type, protocol] :
         {std::pair{SOCK_STREAM, IPPROTO_TCP}, std::pair{SOCK_DGRAM, IPPROTO_UDP}}) {
      for (const int number : {int{IPPROTO_IP}, int{protocol}}) {
        filter.allow("socket", {is(0, family), bits_are(1, kind, static_cast<scmp_datum_t>(type)),
                                is(2, static_cast<scmp_datum_t>(number))});
      }
    }
  }
  filter.allow("socket", {is(0, AF_NETLINK), is(2, NETLINK_ROUTE)});
  for (const auto type : Data{SOCK_STREAM, SOCK_DGRAM}) {
    filter.allow("socket", {is(0, AF_UNIX), bits_are(1, kind, type)});
  }
  filter.allow("socketpair", {is(0, AF_UNIX)});
  for (const auto request : Data{FIONBIO, FIONREAD, SIOCGIFNAME, SIOCGIFINDEX, TCGETS}) {
    filter.allow("ioctl", {is(1, request)});
  }
}

// No memory that code could be written into, or already is in.
void allow_memory(Filter& filter) {
  for (const char* call : {"mmap", "mmap2", "mprotect"}) {
    filter.allow(call, {bits_are(2, PROT_EXEC, 0)});
    filter.add(SCMP_ACT_ERRNO(EPERM), call, {bits_are(2, PROT_EXEC, PROT_EXEC)});
  }
}

// Threads, but no processes and no namespaces. clone3() hides its flags in memory, so it is not
// allowed and glibc falls back.
void allow_threads(Filter& filter) {
  constexpr scmp_datum_t namespaces = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS |
                                      CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;
  filter.allow("clone", {bits_are(0, namespaces | CLONE_THREAD, CLONE_THREAD)});
  const auto self = static_cast<scmp_datum_t>(::getpid());
  filter.allow("tgkill", {is(0, self)});  // abort(3)
  for (const auto option : Data{PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE}) {
    filter.allow("prctl", {is(0, option)});
  }
  filter.allow("prlimit64", {is(0, 0), is(2, 0)});  // reading limits
  filter.allow("prlimit64", {is(0, self), is(2, 0)});
}

}  // namespace

std::optional<std::string> restrict_system_calls() {
  Filter filter;
  for (const char* call : calls::allowed) filter.allow(call);
  for (const char* call : calls::deadly) filter.add(SCMP_ACT_KILL_PROCESS, call);
  allow_sockets(filter);
  allow_memory(filter);
  allow_threads(filter);
  if constexpr (sanitized) {
    for (const char* call : calls::of_sanitizers) filter.allow(call);
  } else {
    filter.add(SCMP_ACT_KILL_PROCESS, "ptrace");
  }
  const int error = filter.load();
  if (error == 0) return std::nullopt;
  return std::string{"seccomp: "} + std::strerror(error);
}

}  // namespace yuelao::server

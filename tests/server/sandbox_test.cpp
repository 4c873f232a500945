#include "server/sandbox/sandbox.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "server/sandbox/sanitized.hpp"
#include "tests/support/temporary_directory.hpp"

namespace yuelao::server::sandbox_test {
namespace {

namespace fs = std::filesystem;

// A process of its own for each attempt: nobody leaves a sandbox.
constexpr int not_entered = 255;

int in_sandbox(const Places& places, const std::function<int()>& attempt) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto sandbox = enter_sandbox(places);
    if (sandbox.missing.empty()) ::_exit(attempt());
    std::cerr << "this machine has no " << sandbox.missing << "\n";
    ::_exit(not_entered);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

// 0, or errno.
int outcome(long result) { return result < 0 ? errno : 0; }

int outcome_of_mapping(int protection) {
  void* const pages = ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? errno : 0;
}

int outcome_of_open(const fs::path& file, int flags) {
  return outcome(::open(file.c_str(), flags | O_CLOEXEC, 0600));
}

struct Attempt {
  std::string what;
  std::function<int()> run;
  int expected;  // errno; 0: it works
};

void check(const Places& places, const std::vector<Attempt>& attempts) {
  for (const auto& [what, run, expected] : attempts) {
    CAPTURE(what);
    const int status = in_sandbox(places, run);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == expected);
  }
}

}  // namespace

TEST_CASE("a sandbox leaves the sockets of a relay, and no others") {
  const auto open = [](int family, int type, int protocol = 0) {
    return [=] { return outcome(::socket(family, type | SOCK_CLOEXEC, protocol)); };
  };
  check({}, {
                {"UDP", open(AF_INET, SOCK_DGRAM), 0},
                {"UDP over IPv6, by name", open(AF_INET6, SOCK_DGRAM, IPPROTO_UDP), 0},
                {"TCP", open(AF_INET, SOCK_STREAM | SOCK_NONBLOCK), 0},
                {"TCP over IPv6, by name", open(AF_INET6, SOCK_STREAM, IPPROTO_TCP), 0},
                {"addresses of this machine", open(AF_NETLINK, SOCK_RAW), 0},
                {"systemd", open(AF_UNIX, SOCK_DGRAM), 0},
                {"raw IP", open(AF_INET, SOCK_RAW, IPPROTO_ICMP), ENOSYS},
                {"ping", open(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), ENOSYS},
                {"packets", open(AF_PACKET, SOCK_RAW), ENOSYS},
                {"netfilter", open(AF_NETLINK, SOCK_RAW, 12), ENOSYS},
                {"ciphers of the kernel", open(AF_ALG, SOCK_SEQPACKET), ENOSYS},
            });
}

TEST_CASE("a sandbox leaves memory for data and threads, and neither code nor processes") {
  check({},
        {
            {"memory", [] { return outcome_of_mapping(PROT_READ | PROT_WRITE); }, 0},
            {"code", [] { return outcome_of_mapping(PROT_READ | PROT_EXEC); }, EPERM},
            {"data that becomes code",
             [] {
               void* const pages = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
               return outcome(::mprotect(pages, 4096, PROT_READ | PROT_EXEC));
             },
             EPERM},
            {"a thread",
             [] {
               int said = 1;
               std::thread{[&] { said = 0; }}.join();
               return said;
             },
             0},
            {"a capability",
             [] {
               const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
               const int size = 1 << 16;
               return outcome(::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size));
             },
             EPERM},
            {"a signal to somebody else", [] { return outcome(::kill(::getppid(), 0)); }, ENOSYS},
            {"a device's settings", [] { return outcome(::ioctl(STDERR_FILENO, TIOCSTI, "x")); },
             ENOSYS},
        });
  if (!sanitized) check({}, {{"a process", [] { return outcome(::fork()); }, ENOSYS}});
}

TEST_CASE("a sandbox leaves the files that were named, and no others") {
  const test::TemporaryDirectory directory;
  for (const auto* name : {"named", "other", "state"})
    fs::create_directory(directory.path() / name);
  const auto named = directory.write("named/file", "x");
  const auto other = directory.write("other/file", "x");
  const auto state = directory.path() / "state";
  const Places places{.read = {directory.path() / "named", directory.path() / "missing"},
                      .write = {state}};
  check(places,
        {
            {"reading what was named", [&] { return outcome_of_open(named, O_RDONLY); }, 0},
            {"reading what came later",
             [&] {
               const auto draft = state / "draft";
               const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
               const bool kept = ::write(file, "x", 1) == 1 && ::fsync(file) == 0 &&
                                 ::link(draft.c_str(), (state / "kept").c_str()) == 0 &&
                                 ::unlink(draft.c_str()) == 0;
               return kept ? outcome_of_open(state / "kept", O_RDONLY) : errno;
             },
             0},
            {"writing there", [&] { return outcome_of_open(named, O_WRONLY); }, EACCES},
            {"a new file there",
             [&] { return outcome_of_open(places.read[0] / "new", O_WRONLY | O_CREAT); }, EACCES},
            {"reading another", [&] { return outcome_of_open(other, O_RDONLY); }, EACCES},
            {"listing another directory",
             [&] { return outcome_of_open(other.parent_path(), O_RDONLY | O_DIRECTORY); }, EACCES},
            {"passwords", [] { return outcome_of_open("/etc/shadow", O_RDONLY); }, EACCES},
            {"deleting", [&] { return outcome(::unlink(other.c_str())); }, EACCES},
        });
}

TEST_CASE("what only an intruder calls ends the process") {
  struct Row {
    std::string what;
    std::function<long()> call;
  };
  std::vector<Row> rows{
      {"a program", [] { return ::execl("/bin/true", "true", nullptr); }},
      {"an io_uring without restrictions",
       [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
      {"a namespace", [] { return ::unshare(CLONE_NEWUSER); }},
      {"another root directory", [] { return ::chroot("/"); }},
      {"a mount", [] { return ::syscall(SYS_mount, "", "/", "tmpfs", 0, nullptr); }},
      {"a file by its handle", [] { return ::syscall(SYS_open_by_handle_at, 0, nullptr, 0); }},
      {"a program for the kernel", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
      {"keys of the kernel's", [] { return ::syscall(SYS_keyctl, 0, 0); }},
      {"somebody's memory",
       [] { return ::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0); }}};
  if (!sanitized) {
    rows.push_back({"a debugger", [] { return ::syscall(SYS_ptrace, 16, ::getppid(), 0, 0); }});
  }
  for (const auto& [what, call] : rows) {
    CAPTURE(what);
    const int status = in_sandbox({}, [&] { return outcome(call()); });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGSYS);
  }
}

TEST_CASE("a sandbox says which layers it has, and why others are missing") {
  Sandbox sandbox;
  CHECK(sandbox.names().empty());
  sandbox.active = {true, false, false, true};
  CHECK(sandbox.names() == "capabilities, files");
  CHECK(sandbox.has(SandboxLayer::files));
  CHECK_FALSE(sandbox.has(SandboxLayer::system_calls));
}

TEST_CASE("whatever decides what a file's name means is among its places") {
  const test::TemporaryDirectory temporary;
  const auto root = fs::canonical(temporary.path());
  const auto places = [&](const std::string& file) {
    auto found = places_of(root / file);
    for (auto& place : found) place = place.lexically_relative(root);
    std::ranges::sort(found);
    return found;
  };
  const auto directories = [](std::initializer_list<const char*> names) {
    return std::vector<fs::path>{names.begin(), names.end()};
  };
  for (const auto* name : {"plain", "live/turn", "archive/turn", "mounted/..2026", "first"}) {
    fs::create_directories(root / name);
  }
  temporary.write("plain/key", "x");
  CHECK(places("plain/key") == directories({"plain"}));
  CHECK(places("plain/missing") == directories({"plain"}));
  CHECK(places("plain/../plain/./key") == directories({"plain"}));

  // As certbot has it.
  temporary.write("archive/turn/key1", "x");
  fs::create_symlink("../../archive/turn/key1", root / "live/turn/key");
  CHECK(places("live/turn/key") == directories({"archive/turn", "live/turn"}));

  // As Kubernetes has it: one link changes, all files have.
  temporary.write("mounted/..2026/key", "x");
  fs::create_directory_symlink("..2026", root / "mounted/..data");
  fs::create_symlink("..data/key", root / "mounted/key");
  CHECK(places("mounted/key") == directories({"mounted", "mounted", "mounted/..2026"}));

  // A link that leads to itself ends.
  fs::create_symlink("loop", root / "first/loop");
  CHECK(places("first/loop").front() == "first");
}

TEST_CASE("of a directory that is everybody's, a place is the file alone") {
  for (const auto* directory : {"/", "/etc", "/tmp", "/var/lib", "/home/ada"}) {
    CAPTURE(directory);
    CHECK(shared_with_everybody(directory));
  }
  for (const auto* directory : {"/etc/yuelao", "/var/lib/yuelao", "/config"}) {
    CAPTURE(directory);
    CHECK_FALSE(shared_with_everybody(directory));
  }
  CHECK(places_of("/etc/yuelao-without-a-directory.yaml") ==
        std::vector<fs::path>{"/etc/yuelao-without-a-directory.yaml"});
}

}  // namespace yuelao::server::sandbox_test

#include "server/sandbox/places.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <string_view>

namespace yuelao::server {
namespace {

namespace fs = std::filesystem;

// As the kernel: path_resolution(7).
constexpr int most_links = 40;

// One step after another, so that each link is seen.
class Walk {
 public:
  explicit Walk(const fs::path& file) {
    std::error_code error;
    enter(fs::absolute(file, error));
    while (!steps_.empty() && links_ < most_links) step();
    for (const auto& name : steps_) at_ /= name;  // links in a circle: nothing to find
  }

  // Where it ends, without links; the file need not exist.
  const fs::path& end() const { return at_; }
  const std::vector<fs::path>& of_links() const { return of_links_; }

 private:
  void enter(const fs::path& path) {
    if (path.is_absolute()) at_ = "/";
    std::vector<fs::path> more;
    std::ranges::copy(path.relative_path(), std::back_inserter(more));
    steps_.insert(steps_.begin(), more.begin(), more.end());
  }

  void step() {
    const fs::path next = steps_.front();
    steps_.pop_front();
    if (next.empty() || next == ".") return;
    if (next == "..") {
      at_ = at_.parent_path();
      return;
    }
    std::error_code error;
    const auto target = fs::read_symlink(at_ / next, error);
    if (error) {
      at_ /= next;
      return;
    }
    ++links_;
    of_links_.push_back(at_);
    enter(target);
  }

  fs::path at_;
  std::deque<fs::path> steps_;
  std::vector<fs::path> of_links_;
  int links_ = 0;
};

}  // namespace

bool shared_with_everybody(const fs::path& directory) {
  constexpr std::array<std::string_view, 33> known{
      "/",        "/bin",       "/boot",     "/dev",           "/dev/shm",   "/etc", "/home",
      "/lib",     "/lib32",     "/lib64",    "/media",         "/mnt",       "/opt", "/proc",
      "/root",    "/run",       "/run/lock", "/run/user",      "/sbin",      "/srv", "/sys",
      "/tmp",     "/usr",       "/usr/bin",  "/usr/lib",       "/usr/local", "/var", "/var/lib",
      "/var/log", "/usr/share", "/var/tmp",  "/usr/local/etc", "/var/cache"};
  if (std::ranges::find(known, directory.native()) != known.end()) return true;
  if (directory.parent_path() == "/home" || directory.parent_path() == "/run/user") return true;
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe)
  return home != nullptr && directory == fs::path{home};
}

std::vector<fs::path> places_of(const fs::path& file) {
  const Walk walk{file};
  std::vector<fs::path> places;
  for (const auto& directory : walk.of_links()) {
    if (!shared_with_everybody(directory)) places.push_back(directory);
  }
  const auto directory = walk.end().parent_path();
  places.push_back(shared_with_everybody(directory) ? walk.end() : directory);
  return places;
}

std::vector<fs::path> places_of_the_system() {
  std::vector<fs::path> places{"/usr/share/zoneinfo", "/dev/null", "/dev/urandom"};
  bool in_etc = false;
  for (const auto* file : {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf",
                           "/etc/gai.conf", "/etc/localtime"}) {
    std::ranges::move(places_of(file), std::back_inserter(places));
    in_etc = in_etc || places.back() == fs::path{file};
  }
  // DHCP clients write a new resolv.conf and rename it: only a right to all of /etc finds that.
  // Root's is a right to passwords, too.
  if (in_etc && ::geteuid() != 0) places.emplace_back("/etc");
  return places;
}

}  // namespace yuelao::server

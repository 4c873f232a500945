#include "server/inherited_sockets.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "server/socket_address.hpp"

namespace yuelao::server {
namespace {

constexpr const char* variable = "YUELAO_SOCKETS";
constexpr std::uint16_t first_unprivileged = 1024;

struct Inherited {
  int type;
  Endpoint local;
  FileDescriptor descriptor;
};

// Empty for what is no socket of IP.
std::optional<Endpoint> bound_at(int descriptor) {
  SocketAddress local;
  socklen_t size = SocketAddress::capacity;
  if (::getsockname(descriptor, local.data(), &size) != 0) return std::nullopt;
  if (local.data()->sa_family != AF_INET && local.data()->sa_family != AF_INET6)
    return std::nullopt;
  return local.endpoint();
}

std::vector<Inherited> inherited() {
  std::vector<Inherited> sockets;
  const char* const text = std::getenv(variable);
  if (text == nullptr) return sockets;
  for (const auto word : std::views::split(std::string_view{text}, ' ')) {
    int descriptor = -1;
    std::from_chars(word.data(), word.data() + word.size(), descriptor);
    int type = 0;
    socklen_t size = sizeof type;
    const auto local = descriptor < 0 ? std::nullopt : bound_at(descriptor);
    if (!local || ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0) continue;
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    sockets.push_back({type, *local, FileDescriptor{descriptor}});
  }
  return sockets;
}

std::vector<Inherited>& sockets() {
  static auto all = inherited();
  return all;
}

auto find(int type, const Endpoint& local) {
  return std::ranges::find_if(
      sockets(), [&](const Inherited& one) { return one.type == type && one.local == local; });
}

// Has no file stay open but the usual three, and sockets bound below 1024: which those are.
std::string keep_privileged_sockets() {
  std::string names;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    const auto name = entry.path().filename().string();
    int descriptor = -1;
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    if (descriptor <= STDERR_FILENO) continue;
    const auto local = bound_at(descriptor);
    const bool privileged = local && local->port != 0 && local->port < first_unprivileged;
    if (::fcntl(descriptor, F_SETFD, privileged ? 0 : FD_CLOEXEC) == 0 && privileged) {
      names.append(names.empty() ? "" : " ").append(name);
    }
  }
  return names;
}

std::vector<std::string> arguments() {
  std::ifstream file{"/proc/self/cmdline", std::ios::binary};
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

}  // namespace

std::error_code begin_anew() {
  auto words = arguments();
  std::vector<char*> pointers;
  std::ranges::transform(words, std::back_inserter(pointers),
                         [](auto& word) { return word.data(); });
  pointers.push_back(nullptr);
  ::setenv(variable, keep_privileged_sockets().c_str(), 1);
  ::execv("/proc/self/exe", pointers.data());
  return {errno, std::system_category()};
}

bool begun_anew() { return std::getenv(variable) != nullptr; }

std::optional<FileDescriptor> take_inherited(int type, const Endpoint& local) {
  const auto found = find(type, local);
  if (found == sockets().end()) return std::nullopt;
  auto taken = std::move(found->descriptor);
  sockets().erase(found);
  return taken;
}

bool is_inherited(int type, const Endpoint& local) { return find(type, local) != sockets().end(); }

}  // namespace yuelao::server

#include "server/port_owner.hpp"

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

namespace yuelao::server {
namespace {

namespace fs = std::filesystem;

// proc(5): a listening TCP socket, and an unconnected UDP one.
constexpr std::string_view tcp_listen = "0A";
constexpr std::string_view udp_unconnected = "07";

// One line of /proc/net/tcp and its like: "sl local:PORT remote state q tr retr uid
// timeout inode". Empty unless it is bound to `port` in `state`.
std::string inode_in(const std::string& line, std::uint16_t port, std::string_view state) {
  std::istringstream fields{line};
  std::array<std::string, 10> field;
  for (auto& value : field) fields >> value;
  const auto colon = field[1].rfind(':');
  if (colon == std::string::npos || field[3] != state) return {};
  std::uint16_t local_port = 0;
  const std::string_view hex = std::string_view{field[1]}.substr(colon + 1);
  std::from_chars(hex.data(), hex.data() + hex.size(), local_port, 16);
  return local_port == port ? field[9] : std::string{};
}

// How /proc/PID/fd names the sockets on `port`.
std::set<std::string> socket_links(Transport transport, std::uint16_t port) {
  const bool udp = transport == Transport::udp;
  const std::string table = udp ? "/proc/net/udp" : "/proc/net/tcp";
  std::set<std::string> links;
  for (const auto& path : {table, table + "6"}) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
      const auto inode = inode_in(line, port, udp ? udp_unconnected : tcp_listen);
      if (!inode.empty()) links.insert("socket:[" + inode + "]");
    }
  }
  return links;
}

bool holds_any(const fs::path& process, const std::set<std::string>& links) {
  std::error_code error;
  for (const auto& descriptor : fs::directory_iterator{process / "fd", error}) {
    if (links.contains(fs::read_symlink(descriptor.path(), error).string())) return true;
  }
  return false;
}

bool is_process(const fs::path& path) {
  return path.filename().string().find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

std::string port_owner(Transport transport, std::uint16_t port) {
  const auto links = socket_links(transport, port);
  if (links.empty()) return {};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{"/proc", error}) {
    if (!is_process(entry.path()) || !holds_any(entry.path(), links)) continue;
    std::string program;
    std::getline(std::ifstream{entry.path() / "comm"}, program);
    return program + " (process " + entry.path().filename().string() + ")";
  }
  return {};
}

}  // namespace yuelao::server

#include "server/port_owner.hpp"

#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

#include "server/printable.hpp"

namespace yuelao::server {
namespace {

namespace fs = std::filesystem;

// proc(5): a listening TCP socket, and an unconnected UDP one.
constexpr std::string_view tcp_listen = "0A";
constexpr std::string_view udp_unconnected = "07";

struct Wanted {
  std::optional<IpAddress> address;
  std::uint16_t port;
  std::string_view state;
};

template <typename Number>
bool read_hex(std::string_view digits, Number& number) {
  return std::from_chars(digits.data(), digits.data() + digits.size(), number, 16).ec ==
         std::errc{};
}

// proc(5): 32 bits at a time, each as this machine reads them in network order.
std::optional<IpAddress> kernel_address(std::string_view hex) {
  std::array<std::uint8_t, 16> octets{};
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  for (std::size_t i = 0; i < hex.size() / 8; ++i) {
    std::uint32_t word = 0;
    if (!read_hex(hex.substr(8 * i, 8), word)) return std::nullopt;
    std::memcpy(octets.data() + 4 * i, &word, sizeof word);
  }
  if (hex.size() == 8) return IpAddress::v4({octets[0], octets[1], octets[2], octets[3]});
  return IpAddress::v6(octets);
}

bool meets(const Wanted& wanted, const IpAddress& bound) {
  return !wanted.address || wanted.address->unspecified() || bound.unspecified() ||
         bound == *wanted.address;
}

// One line of /proc/net/tcp and its like: "sl local:PORT remote state q tr retr uid
// timeout inode". Empty unless it is a socket that is wanted.
std::string inode_in(const std::string& line, const Wanted& wanted) {
  std::istringstream fields{line};
  std::array<std::string, 10> field;
  for (auto& value : field) fields >> value;
  const std::string_view local = field[1];
  const auto colon = local.rfind(':');
  if (colon == std::string_view::npos || field[3] != wanted.state) return {};
  std::uint16_t port = 0;
  const auto bound = kernel_address(local.substr(0, colon));
  const bool fits = bound && read_hex(local.substr(colon + 1), port) && port == wanted.port &&
                    meets(wanted, *bound);
  return fits ? field[9] : std::string{};
}

// How /proc/PID/fd names the sockets. One of IPv6 may have IPv4's ports as well, but not the other
// way about.
std::set<std::string> socket_links(const std::string& table, const Wanted& wanted) {
  std::set<std::string> links;
  const bool only_ipv6 = wanted.address && wanted.address->family() == Family::ipv6;
  for (const auto& path : {only_ipv6 ? std::string{} : table, table + "6"}) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
      const auto inode = inode_in(line, wanted);
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

// The process number that names this directory of /proc; 0: it is another one.
int process_number(const fs::path& path) {
  const auto name = path.filename().string();
  int number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc{} && end == name.data() + name.size() ? number : 0;
}

}  // namespace

std::string PortOwner::to_string() const {
  if (process == 0) return "another program";
  return printable(program) + " (process " + std::to_string(process) + ")";
}

std::optional<PortOwner> port_owner(Transport transport, const std::optional<IpAddress>& address,
                                    std::uint16_t port) {
  const bool udp = over_udp(transport);
  const Wanted wanted{address, port, udp ? udp_unconnected : tcp_listen};
  const auto links = socket_links(udp ? "/proc/net/udp" : "/proc/net/tcp", wanted);
  if (links.empty()) return std::nullopt;
  // This process may have the same port of other addresses already.
  PortOwner owner;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{"/proc", error}) {
    const int process = process_number(entry.path());
    if (process == 0 || !holds_any(entry.path(), links)) continue;
    owner.process = process;
    std::getline(std::ifstream{entry.path() / "comm"}, owner.program);
    if (process != ::getpid()) break;
  }
  return owner;
}

}  // namespace yuelao::server

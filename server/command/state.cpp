#include "server/command/state.hpp"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "server/file_descriptor.hpp"

namespace yuelao::server {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t secret_bytes = 32;

std::unexpected<std::string> failed(const fs::path& path, std::string_view what,
                                    std::string_view fix) {
  return std::unexpected{path.string() + " " + std::string{what} + " (" + std::strerror(errno) +
                         "): " + std::string{fix}};
}

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::expected<Secret, std::string> new_secret() {
  std::array<unsigned char, secret_bytes> random{};
  if (RAND_bytes(random.data(), random.size()) != 1) {
    return std::unexpected{"OpenSSL has no random numbers: check its installation."};
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * secret_bytes);
  for (const auto octet : random) {
    text += digits[octet >> 4U];
    text += digits[octet & 0xFU];
  }
  OPENSSL_cleanse(random.data(), random.size());
  return Secret{std::move(text)};
}

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

// The service runs as a user of its own; what root makes in its directory must be its own.
void give_to_owner_of(const fs::path& directory, int file) {
  struct stat status{};
  if (::geteuid() != 0 || ::stat(directory.c_str(), &status) != 0) return;
  // Where it fails the reader says so, with the fix.
  static_cast<void>(::fchown(file, status.st_uid, status.st_gid) == 0);
}

// Under another name first, so that no reader ever sees half a secret; link() does not
// replace a file that another server put there in between.
std::expected<void, std::string> store(const fs::path& path, const Secret& secret) {
  const auto directory = path.parent_path();
  auto draft = path.string() + ".XXXXXX";
  constexpr std::string_view fix = "name a directory yuelao may write to by --state-directory.";
  const FileDescriptor file{::mkostemp(draft.data(), O_CLOEXEC)};  // O_EXCL, 0600
  if (!file.open()) return failed(draft, "cannot be made", fix);
  give_to_owner_of(directory, file.value());
  const bool written = write_all(file.value(), secret.reveal()) && write_all(file.value(), "\n") &&
                       ::fsync(file.value()) == 0;
  const bool linked = written && (::link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int reason = errno;
  ::unlink(draft.c_str());
  errno = reason;
  if (!linked) return failed(path, "cannot be written", fix);
  const FileDescriptor parent{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (parent.open()) ::fsync(parent.value());
  return {};
}

std::expected<void, std::string> make_directory(const fs::path& directory) {
  std::error_code error;
  // Only the last step of the path is ours to close.
  fs::create_directories(directory.parent_path(), error);
  if (::mkdir(directory.c_str(), 0700) == 0 || (errno == EEXIST && fs::is_directory(directory))) {
    return {};
  }
  return failed(directory, "cannot be made",
                "name another directory by --state-directory, or let yuelao make this one.");
}

std::expected<Secret, std::string> read_one(const fs::path& path) {
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!file.open() && errno == ENOENT) {
    return std::unexpected{"there is no secret in " + path.parent_path().string() +
                           " yet: start the server first, or name its directory by "
                           "--state-directory."};
  }
  struct stat status{};
  if (!file.open() || ::fstat(file.value(), &status) != 0) {
    return failed(path, "cannot be read", "run this as the user the server runs as, or as root.");
  }
  if (!S_ISREG(status.st_mode))
    return std::unexpected{path.string() + " is not a file: move it away."};
  if ((status.st_mode & 0077U) != 0) {
    return std::unexpected{path.string() + " can be read by others than its owner: close it by " +
                           "`chmod 600`, or delete it to get a new secret."};
  }
  std::array<char, 1024> text{};
  const auto count = ::read(file.value(), text.data(), text.size());
  std::string_view line{text.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  line = line.substr(0, line.find('\n'));
  // Shorter, and somebody could guess it: a copy that was cut off, or a hand-made one.
  if (line.size() < secret_bytes) {
    return std::unexpected{path.string() +
                           " is empty or cut off: delete it, and the next start makes a new one."};
  }
  Secret secret{std::string{line}};
  OPENSSL_cleanse(text.data(), text.size());
  return secret;
}

std::expected<Secret, std::string> read_or_make(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) {
    if (const auto made = make_directory(path.parent_path()); !made) {
      return std::unexpected{made.error()};
    }
    const auto secret = new_secret();
    if (!secret) return secret;
    if (const auto stored = store(path, *secret); !stored) return std::unexpected{stored.error()};
  }
  return read_one(path);
}

}  // namespace

std::expected<fs::path, std::string> state_directory(const fs::path& chosen) {
  if (!chosen.empty()) return fs::absolute(chosen);
  // systemd.exec(5): several are separated by colons; ours is the first.
  if (const auto given = variable("STATE_DIRECTORY"); !given.empty()) {
    return fs::path{given.substr(0, given.find(':'))};
  }
  if (::geteuid() == 0) return "/var/lib/yuelao";
  // The XDG base directories are absolute or to be ignored.
  if (const auto home = variable("XDG_STATE_HOME"); home.starts_with('/')) {
    return fs::path{home} / "yuelao";
  }
  if (const auto home = variable("HOME"); home.starts_with('/')) {
    return fs::path{home} / ".local/state/yuelao";
  }
  return std::unexpected{
      "there is no place for the secret yuelao makes, as $HOME is not set: name a directory by "
      "--state-directory."};
}

fs::path secret_file(const fs::path& directory) { return directory / "rest-secret"; }

std::expected<Secret, std::string> read_secret(const fs::path& directory) {
  return read_one(secret_file(directory));
}

std::expected<Secret, std::string> read_or_make_secret(const fs::path& directory) {
  return read_or_make(secret_file(directory));
}

fs::path password_file(const fs::path& directory, std::string_view name) {
  return directory / (std::string{name} + ".password");
}

std::expected<Secret, std::string> read_or_make_password(const fs::path& directory,
                                                         std::string_view name) {
  return read_or_make(password_file(directory, name));
}

fs::path api_key_file(const fs::path& directory, std::string_view name) {
  return directory / (std::string{name} + ".api-key");
}

std::expected<Secret, std::string> read_or_make_api_key(const fs::path& directory,
                                                        std::string_view name) {
  return read_or_make(api_key_file(directory, name));
}

}  // namespace yuelao::server

#include "config/secrets.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "config/keys.hpp"
#include "config/values.hpp"
#include "protocol/stun/credentials.hpp"

namespace yuelao::config {

const std::vector<std::string> user_keys{"name", "password", "password_file"};
const std::vector<std::string> secret_keys{"value", "file", "env"};

namespace {

// RFC 8489 §14.3 and §14.9.
constexpr std::size_t longest_user_name_bytes = 508;
constexpr std::size_t longest_secret_bytes = 4096;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_{fd} {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return fd_; }

 private:
  int fd_;
};

Read<Secret> prepared_secret(const Element& element, const Secret& secret) {
  auto prepared = stun::opaque_string(secret.reveal());
  if (!prepared) {
    return problem(element,
                   "this password is empty, not UTF-8, or holds control characters: "
                   "choose another one.");
  }
  return Secret{std::move(*prepared)};
}

// The one member of `element` out of `names`; having none or two is a problem.
Read<const Member*> only_one(const Element& element,
                             std::initializer_list<std::string_view> names) {
  const Member* found = nullptr;
  for (const auto& member : element.members) {
    if (std::ranges::find(names, member.key) == names.end()) continue;
    if (found) {
      return std::unexpected{Problem{member.at, backquoted(found->key) + " and " +
                                                    backquoted(member.key) +
                                                    " say the same: keep one of the two."}};
    }
    found = &member;
  }
  if (found) return found;
  std::string all;
  for (const auto name : names) all += (all.empty() ? "`" : " or `") + std::string{name} + "`";
  return problem(element, all + " is missing here: add it.");
}

// Up to the end of the one line a secret file holds.
std::string_view first_line(std::string_view text) {
  auto line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

Read<std::string> read_prepared(const Element& element, std::size_t longest_bytes) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  auto prepared = stun::opaque_string(*text);
  if (!prepared) return problem(element, "this holds characters no client can send: remove them.");
  if (prepared->size() > longest_bytes) {
    return problem(element, "this is too long: at most " + std::to_string(longest_bytes) +
                                " bytes of UTF-8 fit.");
  }
  return std::move(*prepared);
}

Read<std::string> read_user_name(const Element& element) {
  return read_prepared(element, longest_user_name_bytes);
}

Read<std::string> read_software_text(const Element& element) {
  constexpr std::size_t most_characters = 127;
  constexpr std::size_t most_octets = 4 * most_characters;  // all that an answer can carry
  auto text = read_prepared(element, most_octets);
  if (!text) return text;
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; };
  const auto characters = std::ranges::count_if(*text, begins);
  if (static_cast<std::size_t>(characters) > most_characters) {
    return problem(element, "this is too long: at most 127 characters fit.");
  }
  return text;
}

Read<std::string> read_realm(const Element& element) {
  auto realm = read_software_text(element);
  if (realm && realm->find_first_of("\"\\") != std::string::npos) {
    return problem(element, "a realm has neither quotes nor backslashes: leave them out.");
  }
  return realm;
}

Read<Secret> SecretReader::from_file(const Element& element) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  const auto path = (directory_ / *text).string();
  files_.emplace_back(path);
  const auto shown = printable(path);
  // Not blocking: a FIFO without a writer would hold the start for ever.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status{};
  if (file.value() < 0 || ::fstat(file.value(), &status) != 0) {
    return problem(element, shown + " cannot be read (" + std::strerror(errno) +
                                "): create it, or let the user yuelao runs as read it.");
  }
  if (!S_ISREG(status.st_mode)) return problem(element, shown + " is not a file: name a file.");
  std::array<char, longest_secret_bytes + 1> buffer{};
  const auto count = ::read(file.value(), buffer.data(), buffer.size());
  const std::string_view content{buffer.data(),
                                 static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  const auto line = first_line(content);
  Secret secret{std::string{line}};
  const bool more = content.find_first_not_of("\r\n", line.size()) != std::string_view::npos;
  OPENSSL_cleanse(buffer.data(), buffer.size());
  if (secret.empty()) return problem(element, shown + " is empty: write the secret into it.");
  if (more) {
    return problem(element,
                   shown + " holds more than one line: put each secret into its own file.");
  }
  if ((status.st_mode & (S_IROTH | S_IRGRP)) != 0) {
    warnings_.push_back({element.at, shown + " can be read by others than its owner: `chmod 600 " +
                                         shown + "` closes it."});
  }
  return secret;
}

Read<turn::StaticUser> SecretReader::user(const Element& element) {
  if (const auto known = only_known_keys(element, "users", user_keys); !known) {
    return std::unexpected{known.error()};
  }
  const auto* name_element = element.find("name");
  if (!name_element) return problem(element, "`name` is missing here: add it.");
  auto name = read_user_name(*name_element);
  if (!name) return std::unexpected{name.error()};
  const auto source = only_one(element, {"password", "password_file"});
  if (!source) return std::unexpected{source.error()};
  const auto& value = (*source)->value;
  Read<Secret> password = Secret{};
  if ((*source)->key == "password_file") {
    password = from_file(value);
  } else if (auto text = read_text(value); text) {
    password = Secret{std::move(*text)};
  } else {
    password = std::unexpected{text.error()};
  }
  if (password) password = prepared_secret(value, *password);
  if (!password) return std::unexpected{password.error()};
  return turn::StaticUser{std::move(*name), std::move(*password)};
}

Read<std::vector<turn::StaticUser>> SecretReader::users(const Element& element) {
  std::vector<turn::StaticUser> all;
  if (element.kind == Element::Kind::nothing) return all;
  if (element.kind != Element::Kind::list) {
    return problem(element, "a list belongs here: write `- {name: guest, password: ...}`.");
  }
  for (const auto& item : element.items) {
    auto one = user(item);
    if (!one) return std::unexpected{one.error()};
    if (std::ranges::find(all, one->name, &turn::StaticUser::name) != all.end()) {
      return problem(item, "this user's name stands here a second time: keep one of the two.");
    }
    all.push_back(std::move(*one));
  }
  return all;
}

Read<Secret> SecretReader::secret(const Element& element, std::string_view key) {
  if (const auto known = only_known_keys(element, key, secret_keys); !known) {
    return std::unexpected{known.error()};
  }
  const auto source = only_one(element, {"value", "file", "env"});
  if (!source) return std::unexpected{source.error()};
  const auto& value = (*source)->value;
  if ((*source)->key == "file") return from_file(value);
  auto text = read_text(value);
  if (!text) return std::unexpected{text.error()};
  if ((*source)->key == "value") return Secret{std::move(*text)};
  const char* variable = std::getenv(text->c_str());
  if (!variable || *variable == '\0') {
    return problem(
        value, "the environment variable " + backquoted(*text) + " is not set: set it for yuelao.");
  }
  return Secret{variable};
}

Read<std::vector<Secret>> SecretReader::secrets(const Element& element, std::string_view key) {
  std::vector<Secret> all;
  if (element.kind == Element::Kind::nothing) return all;
  if (element.kind != Element::Kind::list) {
    return problem(element, "a list belongs here: write `- {file: NAME}`.");
  }
  for (const auto& item : element.items) {
    auto one = secret(item, key);
    if (!one) return std::unexpected{one.error()};
    all.push_back(std::move(*one));
  }
  return all;
}

}  // namespace yuelao::config

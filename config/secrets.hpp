#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/element.hpp"
#include "protocol/turn/options.hpp"

namespace yuelao::config {

// Users and shared secrets, and the files and environment variables they may come from.
class SecretReader {
 public:
  // Relative file names start from `directory`.
  explicit SecretReader(std::filesystem::path directory) : directory_{std::move(directory)} {}

  const std::filesystem::path& directory() const { return directory_; }

  Read<std::vector<turn::StaticUser>> users(const Element& element);
  // A list of items with one of `secret_keys` each; `key` is the list's own.
  Read<std::vector<Secret>> secrets(const Element& element, std::string_view key);

  // Files that others than their owner may read: an image or an orchestrator often
  // leaves no choice, so they are told and not refused.
  const std::vector<Problem>& warnings() const { return warnings_; }
  // Those that were read.
  const std::vector<std::filesystem::path>& files() const { return files_; }

 private:
  Read<turn::StaticUser> user(const Element& element);
  Read<Secret> secret(const Element& element, std::string_view key);
  Read<Secret> from_file(const Element& element);

  std::filesystem::path directory_;
  std::vector<Problem> warnings_;
  std::vector<std::filesystem::path> files_;
};

// RFC 8489 prepares names, realms and passwords with OpaqueString before they are
// compared or hashed; clients do the same.
Read<std::string> read_prepared(const Element& element, std::size_t longest_bytes);
// The same, of a user's name: what fits USERNAME.
Read<std::string> read_user_name(const Element& element);

// The same for SOFTWARE (RFC 8489 §14.14) and realms (§14.9): fewer than 128 characters, and in
// a realm none that would have to be quoted.
Read<std::string> read_software_text(const Element& element);
Read<std::string> read_realm(const Element& element);

// The keys an item of `users`, and of `secrets` and `credentials.keys`, may have.
extern const std::vector<std::string> user_keys;
extern const std::vector<std::string> secret_keys;

}  // namespace yuelao::config

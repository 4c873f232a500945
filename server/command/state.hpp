#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "protocol/secret.hpp"

namespace yuelao::server {

// What outlives the server: a directory with the TURN REST secret made at its first
// start. Every error is one sentence with the fix.

// `chosen` if it is not empty, else systemd's $STATE_DIRECTORY, else /var/lib/yuelao for
// root, else $XDG_STATE_HOME/yuelao or ~/.local/state/yuelao.
std::expected<std::filesystem::path, std::string> state_directory(
    const std::filesystem::path& chosen);

std::filesystem::path secret_file(const std::filesystem::path& directory);

// The secret an earlier start made.
std::expected<Secret, std::string> read_secret(const std::filesystem::path& directory);

// The same, or a new one: 256 random bits in hexadecimal, in a file only its owner may
// read. Servers that start at the same moment end up with the same one.
std::expected<Secret, std::string> read_or_make_secret(const std::filesystem::path& directory);

// A password made the same way for the static user `name`, who is one of a system that
// knows no TURN REST.
std::filesystem::path password_file(const std::filesystem::path& directory, std::string_view name);
std::expected<Secret, std::string> read_or_make_password(const std::filesystem::path& directory,
                                                         std::string_view name);

// A key made the same way that opens /turn/credentials for the system `name` alone.
std::filesystem::path api_key_file(const std::filesystem::path& directory, std::string_view name);
std::expected<Secret, std::string> read_or_make_api_key(const std::filesystem::path& directory,
                                                        std::string_view name);

}  // namespace yuelao::server

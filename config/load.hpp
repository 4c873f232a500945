#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/error.hpp"

namespace yuelao::config {

// Reads a configuration file. What the file does not say keeps its default. The first
// thing wrong is the error: a key nobody knows, a value of the wrong type or out of
// range, a secret that cannot be read, two statements that contradict each other.
std::expected<Config, ConfigError> load(const std::filesystem::path& path);

// The same for text that is already here. `name` stands in errors and warnings;
// relative file names in the text start from its directory.
std::expected<Config, ConfigError> parse(std::string_view text, const std::string& name);

// Every key the loader knows, "limits.per_user"; the keys of list items too,
// "users.name".
std::vector<std::string> known_keys();

}  // namespace yuelao::config

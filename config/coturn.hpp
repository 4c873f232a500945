#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/error.hpp"

namespace yuelao::config {

// A configuration of yuelao's that does what this turnserver.conf does, for a person to
// read and keep: after its keys comes one comment for each option that has no equivalent,
// or is unsafe. parse() takes the result. It holds the file's secrets.
//
// The error is the first value that cannot be what its option needs; `name` stands in it.
std::expected<std::string, ConfigError> import_coturn(std::string_view text,
                                                      const std::string& name);

}  // namespace yuelao::config

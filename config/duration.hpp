#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace yuelao::config {

// A whole number with its unit s, m, h or d: "90s", "10m", "1h", "2d".
std::optional<std::chrono::seconds> parse_duration(std::string_view text);
// The same the other way round, in the largest unit that fits.
std::string to_string(std::chrono::seconds duration);

}  // namespace yuelao::config

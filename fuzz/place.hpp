#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "config/error.hpp"

// What every sentence about a file promises.
namespace yuelao::fuzz {

inline bool printable_line(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// Whether the error's line is one of the text's, and its column one of that line's, or the one
// behind its end.
inline bool inside(const config::ConfigError& error, std::string_view text) {
  for (int line = 1; line < error.line; ++line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
  const auto length = std::min(text.find('\n'), text.size());
  return static_cast<std::size_t>(error.column) <= length + 1;
}

// ASCII: in other texts a column is not counted in their octets.
inline bool plain(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c != 0 && c < 0x80; });
}

}  // namespace yuelao::fuzz

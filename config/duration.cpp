#include "config/duration.hpp"

#include <charconv>
#include <cstdint>

namespace yuelao::config {
namespace {

using namespace std::chrono_literals;

std::optional<std::chrono::seconds> unit(char letter) {
  switch (letter) {
    case 's':
      return 1s;
    case 'm':
      return 1min;
    case 'h':
      return 1h;
    case 'd':
      return 24h;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto step = unit(text.back());
  text.remove_suffix(1);
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (!step || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  // 2^32 days fit into the 64 bits of std::chrono::seconds.
  return count * *step;
}

std::string to_string(std::chrono::seconds duration) {
  if (duration == 0s) return "0s";
  if (duration % 24h == 0s) return std::to_string(duration / 24h) + "d";
  if (duration % 1h == 0s) return std::to_string(duration / 1h) + "h";
  if (duration % 1min == 0s) return std::to_string(duration / 1min) + "m";
  return std::to_string(duration.count()) + "s";
}

}  // namespace yuelao::config

#include "config/turnserver_conf.hpp"

#include <algorithm>

namespace yuelao::config {
namespace {

constexpr std::string_view blanks = " \t";
constexpr std::string_view separators = " \t=";

// Blanks before the closing quote's line end are not part of a quoted value; those behind
// a bare one are, to coturn too.
std::string_view unquoted(std::string_view value) {
  if (!value.starts_with('"')) return value;
  value.remove_prefix(1);
  const auto last = value.find_last_not_of(blanks);
  value = value.substr(0, last == std::string_view::npos ? 0 : last + 1);
  if (value.ends_with('"')) value.remove_suffix(1);
  return value;
}

Position position(int line, std::size_t offset) { return {line, static_cast<int>(offset) + 1}; }

CoturnOption option_of(std::string_view line, std::size_t start, int number) {
  const auto end = std::min(line.find_first_of(separators, start), line.size());
  const auto value = std::min(line.find_first_not_of(separators, end), line.size());
  return {std::string{line.substr(start, end - start)}, std::string{unquoted(line.substr(value))},
          position(number, start), position(number, value)};
}

}  // namespace

std::vector<CoturnOption> read_turnserver_conf(std::string_view text) {
  std::vector<CoturnOption> options;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (line.ends_with('\r')) line.remove_suffix(1);
    const auto start = line.find_first_not_of(blanks);
    if (start == std::string_view::npos || line[start] == '#') continue;
    options.push_back(option_of(line, start, number));
  }
  return options;
}

bool coturn_flag(std::string_view value) {
  return value.empty() || !std::string_view{"0nNfF"}.contains(value.front());
}

}  // namespace yuelao::config

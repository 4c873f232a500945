#include "server/integrate/quote.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace yuelao::integrate {
namespace {

bool harmless(char c) {
  constexpr std::string_view others = "+-./:=_@%,?";
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         others.contains(c);
}

// Between double quotes; `\` before quotes and backslashes.
std::string with_backslashes(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

}  // namespace

std::string in_lua(std::string_view value) { return with_backslashes(value); }

std::string in_libconfig(std::string_view value) { return with_backslashes(value); }

std::string in_json(std::string_view value) {
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// YAML's double-quoted strings take JSON's escapes (YAML 1.2 §1.2).
std::string in_yaml(std::string_view value) { return in_json(value); }

std::string in_xml_attribute(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    switch (c) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '"':
        text += "&quot;";
        break;
      default:
        text += c;
    }
  }
  return text + "\"";
}

std::string in_shell(std::string_view value) {
  if (!value.empty() && std::ranges::all_of(value, harmless)) return std::string{value};
  std::string text = "'";
  for (const char c : value) text += c == '\'' ? std::string{R"('\'')"} : std::string{c};
  return text + "'";
}

std::string in_env(std::string_view value) {
  if (std::ranges::all_of(value, harmless)) return std::string{value};
  return "'" + std::string{value} + "'";
}

}  // namespace yuelao::integrate

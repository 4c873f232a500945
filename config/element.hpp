#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace yuelao::config {

struct Position {
  int line = 1;  // both count from 1
  int column = 1;
};

// What is wrong, and where in the text.
struct Problem {
  Position at;
  std::string sentence;
};

// Text from the file for a sentence: without control characters, which a terminal obeys.
std::string printable(std::string_view text);
// The same in backquotes and cut where it is long.
std::string backquoted(std::string_view text);

template <typename T>
using Read = std::expected<T, Problem>;

struct Member;

// A YAML document as it was written: every element and every key knows its place, so that
// each complaint can name it.
struct Element {
  enum class Kind : std::uint8_t { nothing, scalar, list, map };

  Kind kind = Kind::nothing;
  Position at;
  std::string text;             // of a scalar, without quotes
  std::vector<Element> items;   // of a list
  std::vector<Member> members;  // of a map, in the order of the text; no key twice

  // The member's value, or nullptr.
  const Element* find(std::string_view key) const;
};

struct Member {
  std::string key;
  Position at;
  Element value;
};

// Reads YAML. Refused: more than 64 KiB, nesting deeper than a configuration ever is,
// duplicate keys, a second document, aliases and tags (each only a way to say less
// clearly what can be said in place). Empty text is a element of kind nothing.
Read<Element> parse_yaml(std::string_view text);

}  // namespace yuelao::config

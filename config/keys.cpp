#include "config/keys.hpp"

#include <algorithm>

#include "config/suggest.hpp"

namespace yuelao::config {

Problem unknown_key(const Member& member, std::string_view section,
                    std::span<const std::string> known) {
  std::string sentence = backquoted(member.key) + " is not a key";
  if (!section.empty()) sentence += " of `" + std::string{section} + "`";
  if (const auto meant = nearest(member.key, known); !meant.empty()) {
    return {member.at, sentence + ": did you mean `" + std::string{meant} + "`?"};
  }
  std::string all;
  for (const auto& key : known) all += (all.empty() ? "" : ", ") + key;
  return {member.at, sentence + ": the keys here are " + all + "."};
}

Read<void> only_known_keys(const Element& element, std::string_view section,
                           std::span<const std::string> known) {
  if (element.kind != Element::Kind::map) {
    return std::unexpected{
        Problem{element.at, "keys belong here, such as `" + known.front() + ": ...`."}};
  }
  for (const auto& member : element.members) {
    if (std::ranges::find(known, member.key) == known.end()) {
      return std::unexpected{unknown_key(member, section, known)};
    }
  }
  return {};
}

}  // namespace yuelao::config

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/element.hpp"

namespace yuelao::config {

// What a person who wrote a key nobody knows should read.
Problem unknown_key(const Member& member, std::string_view section,
                    std::span<const std::string> known);

// That `element` is a map and each of its keys is in `known`. `section` stands in the
// sentence; empty at the top.
Read<void> only_known_keys(const Element& element, std::string_view section,
                           std::span<const std::string> known);

}  // namespace yuelao::config

#pragma once

#include <string_view>
#include <vector>

#include "tests/support/every_attribute.hpp"

namespace yuelao::fuzz {

// Of every attribute that the project knows.
inline const std::vector<stun::AttributeType>& known_types() {
  static const auto types = [] {
    std::vector<stun::AttributeType> all;
    test::for_every_attribute(
        [&](std::string_view, const auto& attribute) { all.push_back(attribute.type); });
    return all;
  }();
  return types;
}

}  // namespace yuelao::fuzz

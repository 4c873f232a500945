#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/element.hpp"

namespace yuelao::config {

// Statements that are right alone and wrong together. `root` tells where they stand.
Read<void> check_together(const Element& root, const Config& config);

// What works and is still worth a second look.
std::vector<Problem> second_thoughts(const Element& root, const Config& config);

}  // namespace yuelao::config

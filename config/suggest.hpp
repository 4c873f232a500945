#pragma once

#include <span>
#include <string>
#include <string_view>

namespace yuelao::config {

// The word most like `written`, or empty when none is near enough to be meant.
std::string_view nearest(std::string_view written, std::span<const std::string> words);

}  // namespace yuelao::config

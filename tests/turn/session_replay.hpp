#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace yuelao::turn::test {

// Where what the engines want done is not what was recorded.
struct Parting {
  std::size_t line;  // the first is 1
  std::string recorded;
  std::string replayed;
};

// Gives the inputs of a recorded session (without its seal) to engines that begin anew, and
// compares what they want done with what was recorded, line by line. Needs nothing but the text.
std::optional<Parting> replay(std::string_view text);

}  // namespace yuelao::turn::test

#pragma once

#include <initializer_list>

#include "protocol/now.hpp"

namespace yuelao::probe {

inline SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

enum class Wish : std::uint8_t { read, write };

// Blocks until one of the descriptors can be read from or written to, or has failed;
// until `until` at most. False: the time is up.
bool wait_for(std::initializer_list<int> descriptors, Wish wish, SteadyTime until);

}  // namespace yuelao::probe

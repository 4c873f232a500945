#pragma once

#include <unistd.h>

#include <cstdint>

namespace yuelao::test {

// Sixteen ports of this process's own: another one may run the same tests at the same time, and the
// kernel gives none of these to anybody who asks for any.
inline std::uint16_t own_port(int index) {
  return static_cast<std::uint16_t>(16'384 + ::getpid() % 1'000 * 16 + index);
}

}  // namespace yuelao::test

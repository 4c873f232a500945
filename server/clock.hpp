#pragma once

#include <chrono>

#include "protocol/now.hpp"

namespace yuelao::server {

inline Now read_clock() {
  return {std::chrono::steady_clock::now(),
          std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())};
}

}  // namespace yuelao::server

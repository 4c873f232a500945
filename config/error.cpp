#include "config/error.hpp"

namespace yuelao::config {

std::string ConfigError::to_string() const {
  if (line == 0) return file + ": " + sentence;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + sentence;
}

}  // namespace yuelao::config

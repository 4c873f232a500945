#pragma once

#include <string>

namespace yuelao::config {

// Why a configuration is refused: where, and one sentence that names the fix.
struct ConfigError {
  std::string file;
  int line = 1;  // both count from 1; 0 when the file itself is the trouble
  int column = 1;
  std::string sentence;

  // "yuelao.yaml:3:5: sentence", as editors and compilers write it.
  std::string to_string() const;
};

}  // namespace yuelao::config

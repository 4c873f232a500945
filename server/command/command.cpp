#include "server/command/command.hpp"

#include <iostream>

namespace yuelao::server {

int fail(std::string_view sentence) {
  std::cerr << "yuelao: " << sentence << "\n";
  return failed;
}

int misuse(std::string_view sentence) {
  fail(sentence);
  return used_wrongly;
}

}  // namespace yuelao::server

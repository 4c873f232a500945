#include "tests/support/registry_file.hpp"

#include <fstream>
#include <stdexcept>

namespace yuelao::test {

std::map<unsigned, std::string> registry_file(const std::string& name) {
  std::ifstream file{YUELAO_TEST_DIR "/vectors/" + name};
  if (!file) throw std::invalid_argument{"no registry file " + name};
  std::map<unsigned, std::string> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    const auto colon = line.find(": ");
    if (colon == std::string::npos) throw std::invalid_argument{"not a row: " + line};
    const auto number = static_cast<unsigned>(std::stoul(line.substr(0, colon), nullptr, 0));
    if (!rows.emplace(number, line.substr(colon + 2)).second) {
      throw std::invalid_argument{"twice: " + line};
    }
  }
  return rows;
}

}  // namespace yuelao::test

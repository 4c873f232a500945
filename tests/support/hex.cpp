#include "tests/support/hex.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace yuelao::test {
namespace {

unsigned digit(char character) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto at = digits.find(character);
  if (at == std::string_view::npos) throw std::invalid_argument{"not a hexadecimal digit"};
  return static_cast<unsigned>(at);
}

std::string without_comments(std::string_view text) {
  std::string digits;
  bool comment = false;
  for (const char character : text) {
    if (character == '#') comment = true;
    if (character == '\n') comment = false;
    if (!comment && character != ' ' && character != '\n') digits += character;
  }
  return digits;
}

}  // namespace

std::vector<std::byte> from_hex(std::string_view text) {
  const auto digits = without_comments(text);
  if (digits.size() % 2 != 0) throw std::invalid_argument{"half an octet"};
  std::vector<std::byte> octets;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    octets.push_back(static_cast<std::byte>(digit(digits[i]) << 4U | digit(digits[i + 1])));
  }
  return octets;
}

std::vector<std::byte> vector_file(const std::string& name) {
  std::ifstream file{YUELAO_TEST_DIR "/vectors/" + name};
  if (!file) throw std::invalid_argument{"no vector file " + name};
  return from_hex(std::string{std::istreambuf_iterator<char>{file}, {}});
}

}  // namespace yuelao::test

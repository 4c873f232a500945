#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// libFuzzer's own: changes the octets in place, and says how many they are then.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

// Changes texts that people write line by line as they do: a line more, one less, another value.
namespace yuelao::fuzz {

using Lines = std::vector<std::string>;

inline Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

class LineMutator {
 public:
  // `known` are lines that mean something.
  LineMutator(unsigned seed, std::span<const std::string_view> known)
      : random_{seed}, known_{known} {}

  void change(Lines& lines) {
    for (auto count = 1 + choose(3); count > 0; --count) change_once(lines);
  }
  std::size_t choose(std::size_t count) { return random_() % std::max<std::size_t>(count, 1); }

 private:
  void change_once(Lines& lines) {
    if (lines.empty()) return insert(lines, any_known());
    auto& line = lines[choose(lines.size())];
    switch (choose(9)) {
      case 0:
        return drop(lines);
      case 1:
        return insert(lines, std::string{line});
      case 2:
        return std::swap(line, lines[choose(lines.size())]);
      case 3:
        return take_value(line, lines[choose(lines.size())]);
      case 4:
        return take_value(line, any_known());
      case 5:
        return line.insert(0, "  "), void();
      case 6:
        return line.erase(0, std::min(line.find_first_not_of(' '), line.size())), void();
      default:
        return insert(lines, any_known());
    }
  }

  std::string any_known() { return std::string{known_[choose(known_.size())]}; }
  void insert(Lines& lines, std::string line) {
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(choose(lines.size() + 1)),
                 std::move(line));
  }
  void drop(Lines& lines) {
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(choose(lines.size())));
  }
  // "port: 3478" and "port=3478" get what stands behind the other one's key.
  static void take_value(std::string& line, std::string_view from) {
    const auto value = from.find_first_of(":=");
    const auto at = line.find_first_of(":=");
    if (value == std::string_view::npos || at == std::string::npos) return;
    line.replace(at + 1, std::string::npos, from.substr(value + 1));
  }

  std::minstd_rand random_;
  std::span<const std::string_view> known_;
};

// For LLVMFuzzerCustomMutator: every other input is changed without respect for its lines. All are
// where YUELAO_FUZZ_PLAIN is set, to compare.
inline std::size_t mutate_lines(std::span<std::uint8_t> buffer, std::size_t size, unsigned seed,
                                std::span<const std::string_view> known) {
  static const bool plain = std::getenv("YUELAO_FUZZ_PLAIN") != nullptr;
  LineMutator mutator{seed, known};
  if (plain || mutator.choose(2) == 0) return LLVMFuzzerMutate(buffer.data(), size, buffer.size());
  auto lines = lines_of({reinterpret_cast<const char*>(buffer.data()), size});
  mutator.change(lines);
  std::string text;
  for (const auto& line : lines) text += line + '\n';
  text.resize(std::min(text.size(), buffer.size()));
  std::ranges::copy(text, buffer.begin());
  return text.size();
}

}  // namespace yuelao::fuzz

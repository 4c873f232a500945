#include "protocol/client/dns_records.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>

namespace yuelao::client::dns_records_test {
namespace {

// Draws the numbers it is given, and zero after that.
class ScriptedRandom final : public Random {
 public:
  explicit ScriptedRandom(std::vector<std::uint32_t> numbers) : numbers_{std::move(numbers)} {}
  void fill(MutableBytes out) override {
    std::uint32_t number = 0;
    if (next_ < numbers_.size()) number = numbers_[next_++];
    for (std::size_t i = out.size(); i-- > 0; number >>= 8) {
      out[i] = static_cast<std::byte>(number & 0xFF);
    }
  }

 private:
  std::vector<std::uint32_t> numbers_;
  std::size_t next_ = 0;
};

std::string targets(const std::vector<SrvRecord>& records) {
  std::string text;
  for (const auto& one : records) text += one.target;
  return text;
}

TEST_CASE("SRV records of a lower priority come first, whatever chance says") {  // RFC 2782
  const std::vector<SrvRecord> records{{20, 0, 1, "c"}, {10, 65535, 1, "b"}, {0, 0, 1, "a"}};
  for (std::uint32_t drawn : {0U, 1U, 65535U, 0xFFFFFFFFU}) {
    ScriptedRandom random{{drawn, drawn, drawn}};
    CHECK(targets(in_order(records, random)) == "abc");
  }
}

TEST_CASE("among SRV records of one priority the running sum of the weights decides") {
  // RFC 2782: the sums are 0 (z), 1 (a), 4 (b), 10 (c).
  const std::vector<SrvRecord> records{
      {0, 1, 1, "a"}, {0, 3, 1, "b"}, {0, 0, 1, "z"}, {0, 6, 1, "c"}};
  struct Row {
    std::vector<std::uint32_t> drawn;
    std::string_view order;
  };
  const Row rows[] = {
      {{0}, "zabc"},        {{1}, "azbc"},  {{2}, "bzac"},  {{4}, "bzac"},
      {{5}, "czab"},        {{10}, "czab"}, {{11}, "zabc"},  // 11 modulo the sum and one is 0
      {{10, 4, 1}, "cbaz"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.order);
    ScriptedRandom random{row.drawn};
    CHECK(targets(in_order(records, random)) == row.order);
  }
}

TEST_CASE("an SRV record is drawn as often as its weight says") {
  const std::vector<SrvRecord> records{{0, 10, 1, "a"}, {0, 30, 1, "b"}};
  unsigned first = 0;
  for (std::uint32_t drawn = 0; drawn <= 40; ++drawn) {
    ScriptedRandom random{{drawn}};
    if (targets(in_order(records, random)) == "ba") ++first;
  }
  CHECK(first == 30);
}

TEST_CASE("NAPTR records go by order, then by preference, however they arrive") {  // RFC 3403 §4.1
  std::vector<NaptrRecord> records{{200, 1, "", "d", "", ""},
                                   {100, 20, "", "b", "", ""},
                                   {100, 10, "", "a", "", ""},
                                   {100, 20, "", "c", "", ""}};
  for (int i = 0; i < 4; ++i) {
    std::ranges::rotate(records, records.begin() + i);
    auto sorted = records;
    std::ranges::sort(sorted);
    std::string order;
    for (const auto& one : sorted) order += one.services;
    CHECK(order == "abcd");
  }
}

TEST_CASE("a name is the same in any case, and with or without the dot at its end") {
  CHECK(canonical("Example.ORG.") == "example.org");
  CHECK(canonical("example.org") == "example.org");
  CHECK(canonical(".").empty());
  CHECK(canonical("").empty());
}

}  // namespace
}  // namespace yuelao::client::dns_records_test

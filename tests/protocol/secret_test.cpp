#include "protocol/secret.hpp"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace yuelao::secret_test {
TEST_CASE("secrets are equal where all their octets are") {
  struct Row {
    std::string_view what, one, other;
    bool equal;
  };
  constexpr Row rows[] = {
      {"the same", "hunter2", "hunter2", true},
      {"the last octet", "hunter2", "hunter3", false},
      {"the first octet", "hunter2", "Hunter2", false},
      {"shorter", "hunter2", "hunter", false},
      {"none and some", "", "hunter2", false},
      {"none", "", "", true},
  };
  for (const auto& [what, one, other, equal] : rows) {
    CAPTURE(what);
    CHECK((Secret{std::string{one}} == Secret{std::string{other}}) == equal);
    CHECK(Secret{std::string{one}}.empty() == one.empty());
  }
}

}  // namespace yuelao::secret_test

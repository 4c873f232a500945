#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "config/load.hpp"

namespace yuelao::test {

// A configuration that is refused, and what is said of it.
struct Refused {
  std::string_view text;
  std::string_view place;     // "line:column"
  std::string_view sentence;  // part of it
};

template <std::size_t n>
void check_refused(const Refused (&rows)[n]) {
  for (const auto& [text, place, sentence] : rows) {
    CAPTURE(text);
    const auto config = config::parse(text, "test.yaml");
    REQUIRE_FALSE(config);
    const auto error = config.error().to_string();
    CAPTURE(error);
    CHECK(error.starts_with("test.yaml:" + std::string{place} + ": "));
    CHECK(error.find(sentence) != std::string::npos);
  }
}

}  // namespace yuelao::test

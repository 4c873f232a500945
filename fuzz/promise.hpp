#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace yuelao::fuzz {

// Ends the run with the place where a promise was broken; libFuzzer keeps the input.
inline void promise(bool kept, const char* what,
                    std::source_location where = std::source_location::current()) {
  if (kept) return;
  std::fprintf(stderr, "%s:%u: broken promise: %s\n", where.file_name(), where.line(), what);
  std::abort();
}

}  // namespace yuelao::fuzz

#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

#include "protocol/bytes.hpp"

#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#endif

namespace yuelao::fuzz {

// Ends the run with the place where a promise was broken; libFuzzer keeps the input.
inline void promise(bool kept, const char* what,
                    std::source_location where = std::source_location::current()) {
  if (kept) return;
  std::fprintf(stderr, "%s:%u: broken promise: %s\n", where.file_name(), where.line(), what);
  std::abort();
}

// Every octet of it was written before: what leaves must not tell what was in memory. Only
// MemorySanitizer knows.
inline void promise_written([[maybe_unused]] Bytes octets) {
#if __has_feature(memory_sanitizer)
  __msan_check_mem_is_initialized(octets.data(), octets.size());
#endif
}

}  // namespace yuelao::fuzz

#pragma once

namespace yuelao::server {

// Whether a sanitizer looks on. At the end LeakSanitizer clones itself without a thread, stops
// the process by ptrace(2) and reads /proc/self; a report names functions, from the files of
// programs and libraries. Only such a build may do that: no release is one.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace yuelao::server

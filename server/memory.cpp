#include "server/memory.hpp"

#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace yuelao::server {
namespace {

// Far more than a configuration of 64 KiB has, twice for a reload, and certificates' keys. What
// there is no room for lies elsewhere.
constexpr std::size_t secure_bytes = std::size_t{1} << 20U;
constexpr std::size_t smallest_piece = 32;

// A buffer for records is longer, has no keys in it, and is freed with every record. The file of
// a key is shorter.
constexpr std::size_t longest_wiped = std::size_t{16} * 1024;

void* allocate(std::size_t size, const char*, int) {
  return size == 0 ? nullptr : std::malloc(size);
}

void release(void* memory, const char*, int) {
  if (memory == nullptr) return;
  const auto size = ::malloc_usable_size(memory);
  if (size < longest_wiped) OPENSSL_cleanse(memory, size);
  std::free(memory);
}

// Not realloc(3), which leaves a copy behind.
void* reallocate(void* memory, std::size_t size, const char* file, int line) {
  if (memory == nullptr) return allocate(size, file, line);
  if (size == 0) {
    release(memory, file, line);
    return nullptr;
  }
  void* const other = allocate(size, file, line);
  if (other == nullptr) return nullptr;
  std::memcpy(other, memory, std::min(size, ::malloc_usable_size(memory)));
  release(memory, file, line);
  return other;
}

// Bit 4: the first page of each program and library, so that a debugger knows which they were.
void keep_memory_out_of_cores() { std::ofstream{"/proc/self/coredump_filter"} << "0x10"; }

}  // namespace

// None of these can fail in a way that should keep the server from serving.
void protect_memory() {
  keep_memory_out_of_cores();
  CRYPTO_set_mem_functions(allocate, reallocate, release);
  CRYPTO_secure_malloc_init(secure_bytes, smallest_piece);
}

}  // namespace yuelao::server

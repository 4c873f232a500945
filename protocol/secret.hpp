#pragma once

#include <openssl/crypto.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/bytes.hpp"

namespace yuelao {

// Memory that is wiped when it is given back. Of OpenSSL's secure heap, where the program has set
// one up and there is room: that is in no core dump and not swapped out.
template <typename T>
struct SecretAllocator {
  using value_type = T;

  SecretAllocator() = default;
  template <typename U>
  SecretAllocator(const SecretAllocator<U>&) {}  // NOLINT(*-explicit-*)

  T* allocate(std::size_t count) {
    void* memory = nullptr;
    if (CRYPTO_secure_malloc_initialized() == 1) memory = OPENSSL_secure_malloc(count * sizeof(T));
    if (memory == nullptr) memory = ::operator new(count * sizeof(T));
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) {
    if (CRYPTO_secure_allocated(memory) == 1) {
      return OPENSSL_secure_clear_free(memory, count * sizeof(T));
    }
    OPENSSL_cleanse(memory, count * sizeof(T));
    ::operator delete(memory);
  }

  friend bool operator==(SecretAllocator, SecretAllocator) { return true; }
};

// A password, shared secret or key. It cannot be printed by accident (there is no
// operator<<), and its memory is wiped when it goes.
class Secret {
 public:
  Secret() = default;
  // The text that is given is wiped.
  explicit Secret(std::string text) : octets_{text.begin(), text.end()} {
    OPENSSL_cleanse(text.data(), text.size());
  }

  // The views live as long as this Secret is neither changed nor destroyed.
  std::string_view reveal() const { return {octets_.data(), octets_.size()}; }
  Bytes bytes() const { return as_bytes(reveal()); }
  bool empty() const { return octets_.empty(); }

  friend bool operator==(const Secret& a, const Secret& b) {
    return a.octets_.size() == b.octets_.size() &&
           CRYPTO_memcmp(a.octets_.data(), b.octets_.data(), a.octets_.size()) == 0;
  }

 private:
  std::vector<char, SecretAllocator<char>> octets_;
};

}  // namespace yuelao

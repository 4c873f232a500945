#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sanitizer/msan_interface.h>
#include <utf8proc.h>

#include <cstddef>
#include <cstdint>

// For MemorySanitizer: what libraries read and write that are built without it. The linker puts
// each of these in the place of the function that it calls (--wrap, in CMakeLists.txt), so that the
// code under test knows nothing of it. Whoever calls another function that writes into memory adds
// it here, or what it wrote is taken for never written.

// And what it reads must not be judged: it would begin with the name of a configuration file that
// it puts together.
[[maybe_unused]] const int initialised = OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names.
extern "C" {

int __real_EVP_MAC_update(EVP_MAC_CTX* context, const unsigned char* in, std::size_t size);
int __wrap_EVP_MAC_update(EVP_MAC_CTX* context, const unsigned char* in, std::size_t size) {
  __msan_check_mem_is_initialized(in, size);
  return __real_EVP_MAC_update(context, in, size);
}

int __real_EVP_MAC_final(EVP_MAC_CTX* context, unsigned char* out, std::size_t* size,
                         std::size_t room);
int __wrap_EVP_MAC_final(EVP_MAC_CTX* context, unsigned char* out, std::size_t* size,
                         std::size_t room) {
  const int done = __real_EVP_MAC_final(context, out, size, room);
  __msan_unpoison(size, sizeof *size);
  __msan_unpoison(out, *size);
  return done;
}

int __real_EVP_DigestUpdate(EVP_MD_CTX* context, const void* in, std::size_t size);
int __wrap_EVP_DigestUpdate(EVP_MD_CTX* context, const void* in, std::size_t size) {
  __msan_check_mem_is_initialized(in, size);
  return __real_EVP_DigestUpdate(context, in, size);
}

int __real_EVP_DigestFinal_ex(EVP_MD_CTX* context, unsigned char* out, unsigned* size);
int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX* context, unsigned char* out, unsigned* size) {
  const int done = __real_EVP_DigestFinal_ex(context, out, size);
  __msan_unpoison(size, sizeof *size);
  __msan_unpoison(out, *size);
  return done;
}

int __real_EVP_CipherUpdate(EVP_CIPHER_CTX* context, unsigned char* out, int* size,
                            const unsigned char* in, int in_size);
int __wrap_EVP_CipherUpdate(EVP_CIPHER_CTX* context, unsigned char* out, int* size,
                            const unsigned char* in, int in_size) {
  __msan_check_mem_is_initialized(in, static_cast<std::size_t>(in_size));
  const int done = __real_EVP_CipherUpdate(context, out, size, in, in_size);
  __msan_unpoison(size, sizeof *size);
  __msan_unpoison(out, static_cast<std::size_t>(*size));
  return done;
}

// It puts names together, and measures them.
int __real_EVP_CipherInit_ex(EVP_CIPHER_CTX* context, const EVP_CIPHER* algorithm, ENGINE* engine,
                             const unsigned char* key, const unsigned char* iv, int direction);
int __wrap_EVP_CipherInit_ex(EVP_CIPHER_CTX* context, const EVP_CIPHER* algorithm, ENGINE* engine,
                             const unsigned char* key, const unsigned char* iv, int direction) {
  __msan_scoped_disable_interceptor_checks();
  const int done = __real_EVP_CipherInit_ex(context, algorithm, engine, key, iv, direction);
  __msan_scoped_enable_interceptor_checks();
  return done;
}

int __real_EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX* context, int type, int size, void* at);
int __wrap_EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX* context, int type, int size, void* at) {
  const int done = __real_EVP_CIPHER_CTX_ctrl(context, type, size, at);
  if (type == EVP_CTRL_AEAD_GET_TAG) __msan_unpoison(at, static_cast<std::size_t>(size));
  return done;
}

std::size_t __real_LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);
std::size_t __wrap_LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size) {
  const auto mutated = __real_LLVMFuzzerMutate(data, size, max_size);
  __msan_unpoison(data, mutated);
  return mutated;
}

utf8proc_uint8_t* __real_utf8proc_NFC(const utf8proc_uint8_t* text);
utf8proc_uint8_t* __wrap_utf8proc_NFC(const utf8proc_uint8_t* text) {
  auto* const normalised = __real_utf8proc_NFC(text);
  if (normalised != nullptr) {
    __msan_unpoison_string(reinterpret_cast<const char*>(normalised));
  }
  return normalised;
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)

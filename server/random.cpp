#include "server/random.hpp"

#include <openssl/rand.h>

#include <exception>

namespace yuelao::server {

void SystemRandom::fill(MutableBytes out) {
  auto* octets = reinterpret_cast<unsigned char*>(out.data());
  if (RAND_bytes(octets, static_cast<int>(out.size())) != 1) std::terminate();
}

}  // namespace yuelao::server

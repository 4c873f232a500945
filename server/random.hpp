#pragma once

#include "protocol/random.hpp"

namespace yuelao::server {

// The cryptographic source for nonces and relay ports: OpenSSL's DRBG, one a thread.
class SystemRandom final : public Random {
 public:
  // Ends the process when the source fails: guessable ports and nonces are worse.
  void fill(MutableBytes out) override;
};

}  // namespace yuelao::server

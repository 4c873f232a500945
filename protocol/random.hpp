#pragma once

#include "protocol/bytes.hpp"

namespace yuelao {

// The only way randomness enters the protocol. The server gives a cryptographic
// source; tests give a scripted one.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableBytes out) = 0;
};

}  // namespace yuelao

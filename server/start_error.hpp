#pragma once

#include <stdexcept>

namespace yuelao::server {

// Why the server cannot start, as one sentence for the person who starts it: what,
// where, and what to do about it. main prints it and exits with status 1.
class StartError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace yuelao::server

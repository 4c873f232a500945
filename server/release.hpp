#pragma once

#include <memory>

namespace yuelao::server {

// Deletes what a C library gave away, by its own function: Owned<X509, X509_free>.
template <auto release>
struct Release {
  template <typename T>
  void operator()(T* pointer) const {
    release(pointer);
  }
};

template <typename T, auto release>
using Owned = std::unique_ptr<T, Release<release>>;

}  // namespace yuelao::server

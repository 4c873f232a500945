#pragma once

#include <cstddef>

#include "protocol/bytes.hpp"

namespace yuelao::server {

// Pages for what clients and peers say, which no core dump has. They cost nothing until they are
// written to.
class PacketMemory {
 public:
  // Throws std::bad_alloc.
  explicit PacketMemory(std::size_t bytes);
  ~PacketMemory();
  PacketMemory(const PacketMemory&) = delete;
  PacketMemory& operator=(const PacketMemory&) = delete;

  std::byte* data() const { return data_; }

 private:
  std::byte* data_;
  std::size_t bytes_;
};

}  // namespace yuelao::server

#include "server/packet_memory.hpp"

#include <sys/mman.h>

#include <new>

namespace yuelao::server {

PacketMemory::PacketMemory(std::size_t bytes) : bytes_{bytes} {
  void* const pages =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc{};
  ::madvise(pages, bytes, MADV_DONTDUMP);
  data_ = static_cast<std::byte*>(pages);
}

PacketMemory::~PacketMemory() { ::munmap(data_, bytes_); }

}  // namespace yuelao::server

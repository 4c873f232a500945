#include "server/datagram_pool.hpp"

#include <algorithm>

namespace yuelao::server {

DatagramPool::DatagramPool() {
  for (std::size_t i = 0; i < slot_count; ++i) {
    vectors_[i] = {memory_.data() + i * slot_stride, slot_bytes};
    msghdr& header = headers_[i].msg_hdr;
    header.msg_name = sources_[i].data();
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    header.msg_control = controls_[i].data();
  }
}

std::span<mmsghdr> DatagramPool::prepare(std::size_t limit) {
  const std::span headers{headers_.data() + used_, std::min(limit, free())};
  // The kernel writes these when it receives; the rest stays as it is.
  for (mmsghdr& header : headers) {
    header.msg_hdr.msg_namelen = SocketAddress::capacity;
    header.msg_hdr.msg_controllen = control_bytes;
  }
  return headers;
}

std::span<Received> DatagramPool::take(std::size_t count) {
  const std::span received{received_.data() + used_, count};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t slot = used_ + i;
    auto* octets = static_cast<std::byte*>(vectors_[slot].iov_base);
    received[i] = {sources_[slot].endpoint(), IpAddress{}, {octets, headers_[slot].msg_len}};
  }
  used_ += count;
  return received;
}

MutableBytes DatagramPool::take_slot() {
  const iovec& slot = vectors_[used_];
  ++used_;
  return {static_cast<std::byte*>(slot.iov_base), slot.iov_len};
}

}  // namespace yuelao::server

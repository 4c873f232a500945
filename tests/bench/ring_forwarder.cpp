#include "tests/bench/ring_forwarder.hpp"

#include <netinet/in.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace yuelao::bench {
namespace {

constexpr unsigned request_count = 256;
constexpr std::uint16_t buffer_count = 256;  // a power of two
constexpr std::size_t buffer_bytes = 2048 + 64;
constexpr std::size_t buffers_bytes = buffer_count * sizeof(io_uring_buf);

// What a completion is about, where it is no flow's number.
constexpr std::uint64_t listening = 0xFFFF'FFFF;
constexpr std::uint64_t sending = 0xFFFF'FFFE;

void require(int result, const char* call) {
  if (result < 0) throw std::system_error{-result, std::generic_category(), call};
}

}  // namespace

RingForwarder::RingForwarder(const Endpoint& at) : flows_{at, false} {
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  parameters.cq_entries = 2048;
  require(io_uring_queue_init_params(request_count, &ring_, &parameters), "io_uring_setup");

  void* const pages =
      ::mmap(nullptr, buffers_bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (pages == MAP_FAILED) throw std::system_error{errno, std::generic_category(), "mmap"};
  buffers_ = static_cast<io_uring_buf_ring*>(pages);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(pages);
  registration.ring_entries = buffer_count;
  require(io_uring_register_buf_ring(&ring_, &registration, 0), "io_uring_register");

  shape_.msg_namelen = sizeof(sockaddr_in);
  memory_ = std::make_unique<std::byte[]>(buffer_count * buffer_bytes);
  io_uring_buf_ring_init(buffers_);
  for (std::uint16_t i = 0; i < buffer_count; ++i) give_back(i);
  receive_from(flows_.listener(), listening);
}

RingForwarder::~RingForwarder() {
  io_uring_queue_exit(&ring_);
  if (buffers_ != nullptr) ::munmap(buffers_, buffers_bytes);
}

void RingForwarder::run() {
  for (;;) {
    const int result = io_uring_submit_and_wait(&ring_, 1);
    if (result != -EINTR) require(result, "io_uring_enter");
    for (const auto buffer : used_) give_back(buffer);
    used_.clear();

    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* done = nullptr;
    io_uring_for_each_cqe(&ring_, head, done) {
      take(*done);
      ++count;
    }
    io_uring_cq_advance(&ring_, count);
  }
}

io_uring_sqe& RingForwarder::next_entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) {
    require(io_uring_submit(&ring_), "io_uring_enter");
    entry = io_uring_get_sqe(&ring_);
  }
  return *entry;
}

void RingForwarder::receive_from(const UdpSocket& socket, std::uint64_t label) {
  io_uring_sqe& entry = next_entry();
  io_uring_prep_recvmsg_multishot(&entry, socket.descriptor(), &shape_, 0);
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.user_data = label;
}

void RingForwarder::take(const io_uring_cqe& done) {
  const auto label = done.user_data;
  if (label == sending) return;  // what is refused is lost
  if ((done.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto buffer = static_cast<std::uint16_t>(done.flags >> IORING_CQE_BUFFER_SHIFT);
    used_.push_back(buffer);
    forward(label, memory_.get() + buffer * buffer_bytes, done.res);
  }
  if ((done.flags & IORING_CQE_F_MORE) != 0) return;
  const auto number = static_cast<std::uint32_t>(label);
  receive_from(label == listening ? flows_.listener() : flows_[number].relay, label);
}

void RingForwarder::forward(std::uint64_t label, void* buffer, int size) {
  auto* const received = io_uring_recvmsg_validate(buffer, size, &shape_);
  if (received == nullptr) return;
  const Bytes datagram{static_cast<const std::byte*>(io_uring_recvmsg_payload(received, &shape_)),
                       io_uring_recvmsg_payload_length(received, size, &shape_)};
  if (label != listening) {
    const Flow& flow = flows_[static_cast<std::uint32_t>(label)];
    return send(flows_.listener(), datagram, flow.client);
  }
  KernelAddress client;
  client.size = received->namelen;
  std::memcpy(&client.storage, io_uring_recvmsg_name(received), sizeof(sockaddr_in));
  if (const Flow* const flow = flows_.of(client)) return send(flow->relay, datagram, flow->peer);
  const Flow* const fresh = flows_.welcome(client, datagram);
  if (fresh != nullptr) receive_from(fresh->relay, fresh->number);
}

void RingForwarder::send(const UdpSocket& from, Bytes datagram, const KernelAddress& to) {
  io_uring_sqe& entry = next_entry();
  io_uring_prep_send(&entry, from.descriptor(), datagram.data(), datagram.size(), MSG_DONTWAIT);
  io_uring_prep_send_set_addr(&entry, to.get(), static_cast<std::uint16_t>(to.size));
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry.user_data = sending;
}

void RingForwarder::give_back(std::uint16_t buffer) {
  io_uring_buf_ring_add(buffers_, memory_.get() + buffer * buffer_bytes, buffer_bytes, buffer,
                        io_uring_buf_ring_mask(buffer_count), 0);
  io_uring_buf_ring_advance(buffers_, 1);
}

}  // namespace yuelao::bench

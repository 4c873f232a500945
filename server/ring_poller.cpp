#include "server/ring_poller.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "server/packed_ref.hpp"
#include "server/socket_address.hpp"

namespace yuelao::server {
namespace {

// Requests between two submissions; when there are more, they are submitted.
constexpr unsigned request_count = 256;
constexpr unsigned completion_count = 2048;
constexpr int buffer_group = 0;
// A source address, up to where control messages may be aligned.
constexpr socklen_t name_bytes = (SocketAddress::capacity + 7) / 8 * 8;
// As in DatagramPool.
constexpr std::size_t control_bytes = 128;
// A cancelled request ends after as many calls, if other work of the kernel's is in its way.
constexpr int cancel_attempts = 64;

// What a completion is about that is no socket's.
enum class Other : std::uint8_t { others, cancel, message };

std::uint64_t bits_of(Other other, std::uint32_t tag = 0) {
  return std::uint64_t{tag} << 32U | packed_other | std::uint64_t(other);
}

bool is(const io_uring_cqe& done, Other other) {
  return (done.user_data & 0xFFFFFFFFU) == bits_of(other);
}

std::uint32_t tag_of(const io_uring_cqe& done) {
  return static_cast<std::uint32_t>(done.user_data >> 32U);
}

std::error_code error_of(int result) { return {-result, std::system_category()}; }

void require(int result, const char* call) {
  if (result < 0) throw std::system_error{error_of(result), call};
}

// Octets of the ring of buffers' addresses, which starts on a page.
constexpr std::size_t ring_bytes(std::size_t buffers) { return buffers * sizeof(io_uring_buf); }

// What the kernel does for a ring, no filter of system calls sees: so this one does nothing but
// what is asked of it here.
int restrict(io_uring& ring) {
  const auto request = [](std::uint8_t operation) {
    return io_uring_restriction{
        .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = operation, .resv = 0, .resv2 = {}};
  };
  const auto registration = [](std::uint8_t operation) {
    return io_uring_restriction{
        .opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = operation, .resv = 0, .resv2 = {}};
  };
  std::array allowed{request(IORING_OP_ASYNC_CANCEL),
                     request(IORING_OP_POLL_ADD),
                     request(IORING_OP_RECVMSG),
                     request(IORING_OP_SEND),
                     request(IORING_OP_SENDMSG),
                     registration(IORING_REGISTER_RING_FDS),
                     registration(IORING_UNREGISTER_RING_FDS),
                     io_uring_restriction{.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
                                          .sqe_flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS,
                                          .resv = 0,
                                          .resv2 = {}}};
  // Another that liburing 2.3 declares and does not export.
  const auto result = ::syscall(SYS_io_uring_register, ring.ring_fd, IORING_REGISTER_RESTRICTIONS,
                                allowed.data(), allowed.size());
  return result < 0 ? -errno : 0;
}

}  // namespace

std::expected<std::unique_ptr<RingPoller>, std::error_code> RingPoller::open() {
  std::unique_ptr<RingPoller> result{new RingPoller};
  if (const auto error = result->set_up()) return std::unexpected{error};
  return result;
}

RingPoller::RingPoller() = default;

RingPoller::~RingPoller() {
  if (open_) io_uring_queue_exit(&ring_);
  if (buffers_ != nullptr) ::munmap(buffers_, ring_bytes(buffer_count));
}

// DEFER_TASKRUN came last of all that is used here: a kernel that knows it has the rest.
std::error_code RingPoller::set_up() {
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
                     IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
  parameters.cq_entries = completion_count;
  if (const int result = io_uring_queue_init_params(request_count, &ring_, &parameters);
      result < 0) {
    return error_of(result);
  }
  open_ = true;
  if (const int result = restrict(ring_); result < 0) return error_of(result);

  void* const pages = ::mmap(nullptr, ring_bytes(buffer_count), PROT_READ | PROT_WRITE,
                             MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (pages == MAP_FAILED) return {errno, std::system_category()};
  buffers_ = static_cast<io_uring_buf_ring*>(pages);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(pages);
  registration.ring_entries = buffer_count;
  registration.bgid = buffer_group;
  if (const int result = io_uring_register_buf_ring(&ring_, &registration, 0); result < 0) {
    return error_of(result);
  }

  shape_.msg_namelen = name_bytes;
  shape_.msg_controllen = control_bytes;
  io_uring_buf_ring_init(buffers_);
  for (std::uint16_t i = 0; i < buffer_count; ++i) {
    // The kernel fills them by turns: the page of an ordinary datagram is there from the start.
    memory_.data()[i * buffer_stride] = std::byte{0};
    give_back(i, i);
  }
  io_uring_buf_ring_advance(buffers_, buffer_count);
  return {};
}

void RingPoller::begin() {
  // liburing 2.3 declares io_uring_enable_rings() and does not export it.
  if (::syscall(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) <
      0) {
    throw std::system_error{errno, std::system_category(), "io_uring_register"};
  }
  io_uring_register_ring_fd(&ring_);  // saves a look-up a call, where there is room for it
  begun_ = true;
  for (const auto& [descriptor, ref] : std::exchange(waiting_, {})) rearm(descriptor, ref);
}

// A request keeps its socket in use, also when that is closed.
void RingPoller::end() {
  io_uring_sqe& entry = next_entry();
  io_uring_prep_cancel64(&entry, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
  entry.user_data = bits_of(Other::cancel);
  unsigned ended = 0;
  do {
    io_uring_submit_and_get_events(&ring_);
    ended = completions_end() - *ring_.cq.khead;
    io_uring_cq_advance(&ring_, ended);
  } while (ended > 0);
}

std::error_code RingPoller::add(int descriptor, turn::SocketRef ref) {
  if (!ref.datagrams()) return others_.add(descriptor, ref);
  if (begun_) {
    rearm(descriptor, ref);
  } else {
    waiting_.push_back({descriptor, ref});
  }
  return {};
}

void RingPoller::rearm(int descriptor, turn::SocketRef ref) {
  io_uring_sqe& entry = next_entry();
  io_uring_prep_recvmsg_multishot(&entry, descriptor, &shape_, 0);
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = buffer_group;
  entry.user_data = packed(ref);
}

// Its port is to be free at once, so the end of the request is awaited.
void RingPoller::remove(turn::SocketRef ref) {
  if (!begun_) {
    std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.ref == ref; });
    return;
  }
  const unsigned since = completions_end();
  io_uring_sqe& entry = next_entry();
  io_uring_prep_cancel64(&entry, packed(ref), 0);
  entry.user_data = bits_of(Other::cancel);
  for (int i = 0; i < cancel_attempts; ++i) {
    io_uring_submit_and_get_events(&ring_);
    if (ended(ref, since)) return;
  }
}

// Whether the socket has no request, by what was completed since then.
bool RingPoller::ended(turn::SocketRef ref, unsigned since) const {
  for (unsigned at = since; at != completions_end(); ++at) {
    const io_uring_cqe& done = completion(at);
    if (is(done, Other::cancel) && done.res == -ENOENT) return true;
    if (done.user_data == packed(ref) && (done.flags & IORING_CQE_F_MORE) == 0) return true;
  }
  return false;
}

std::span<const Poller::Event> RingPoller::wait(std::chrono::milliseconds at_most) {
  old_count_ = used_count_;
  watch_others();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at_most);
  __kernel_timespec time{.tv_sec = seconds.count(),
                         .tv_nsec = std::chrono::nanoseconds{at_most - seconds}.count()};
  io_uring_cqe* first = nullptr;
  io_uring_submit_and_wait_timeout(&ring_, &first, 1, &time, nullptr);
  submit_all();
  note_failures();
  take_completions();
  take_others();
  return {ready_.data(), ready_count_};
}

void RingPoller::watch_others() {
  if (others_watched_) return;
  io_uring_sqe& entry = next_entry();
  io_uring_prep_poll_add(&entry, others_.descriptor(), POLLIN);
  entry.user_data = bits_of(Other::others);
  others_watched_ = true;
}

void RingPoller::release() {
  for (std::size_t i = 0; i < old_count_; ++i) give_back(used_[i], static_cast<int>(i));
  io_uring_buf_ring_advance(buffers_, static_cast<int>(old_count_));
  std::copy(used_.begin() + static_cast<std::ptrdiff_t>(old_count_),
            used_.begin() + static_cast<std::ptrdiff_t>(used_count_), used_.begin());
  used_count_ -= std::exchange(old_count_, 0);
}

void RingPoller::give_back(std::uint16_t buffer, int offset) {
  io_uring_buf_ring_add(buffers_, memory_.data() + buffer * buffer_stride, buffer_bytes, buffer,
                        io_uring_buf_ring_mask(buffer_count), offset);
}

// Most of what is relayed is one datagram in one piece: a cheaper request.
void RingPoller::post(int descriptor, const msghdr& message, std::uint32_t tag) {
  io_uring_sqe& entry = next_entry();
  if (message.msg_iovlen == 1 && message.msg_controllen == 0) {
    io_uring_prep_send(&entry, descriptor, message.msg_iov->iov_base, message.msg_iov->iov_len,
                       MSG_DONTWAIT);
    io_uring_prep_send_set_addr(&entry, static_cast<const sockaddr*>(message.msg_name),
                                static_cast<std::uint16_t>(message.msg_namelen));
  } else {
    io_uring_prep_sendmsg(&entry, descriptor, &message, MSG_DONTWAIT);
  }
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry.user_data = bits_of(Other::message, tag);
}

void RingPoller::submit() {
  submit_all();
  note_failures();
}

io_uring_sqe& RingPoller::next_entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) {
    submit_all();
    entry = io_uring_get_sqe(&ring_);
  }
  return *entry;
}

// Nothing may stay behind: what it views would be gone.
void RingPoller::submit_all() {
  while (io_uring_sq_ready(&ring_) > 0) {
    const int result = io_uring_submit(&ring_);
    // The kernel has no memory for it just now, or a signal came.
    if (result == -EAGAIN || result == -EINTR || result == -EBUSY) continue;
    require(result, "io_uring_enter");
  }
}

unsigned RingPoller::completions_end() const { return io_uring_smp_load_acquire(ring_.cq.ktail); }

const io_uring_cqe& RingPoller::completion(unsigned at) const {
  return ring_.cq.cqes[at & ring_.cq.ring_mask];
}

// They are completed while they are submitted, but behind whatever waits to be taken.
void RingPoller::note_failures() {
  for (const unsigned end = completions_end(); looked_at_ != end; ++looked_at_) {
    const io_uring_cqe& done = completion(looked_at_);
    if (!is(done, Other::message) || failure_count_ == failure_limit) continue;
    failures_[failure_count_] = {tag_of(done), -done.res};
    ++failure_count_;
  }
}

void RingPoller::take_completions() {
  ready_count_ = 0;
  const unsigned begin = *ring_.cq.khead;
  unsigned at = begin;
  for (; at != looked_at_ && ready_count_ < round_limit; ++at) {
    const io_uring_cqe& done = completion(at);
    if (is(done, Other::others)) {
      others_watched_ = false;
      others_ready_ = true;
    } else if (packs_socket(done.user_data) && done.res != -ECANCELED) {
      take_datagram(done);
    }
  }
  io_uring_cq_advance(&ring_, at - begin);
}

void RingPoller::take_datagram(const io_uring_cqe& done) {
  Event event{.ref = unpacked(done.user_data), .readable = true, .writable = false};
  event.disarmed = (done.flags & IORING_CQE_F_MORE) == 0;
  // Without a buffer left for it, the datagram is still in the socket.
  event.failed = done.res < 0 && done.res != -ENOBUFS;
  if ((done.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto buffer = static_cast<std::uint16_t>(done.flags >> IORING_CQE_BUFFER_SHIFT);
    used_[used_count_] = buffer;
    ++used_count_;
    event.message = read(buffer, done.res);
  }
  ready_[ready_count_] = event;
  ++ready_count_;
}

// The kernel's own words, then room for the source and for control messages, then the payload.
RawMessage* RingPoller::read(std::uint16_t buffer, int size) {
  std::byte* const octets = memory_.data() + buffer * buffer_stride;
  auto* const header = io_uring_recvmsg_validate(octets, size, &shape_);
  if (header == nullptr) return nullptr;
  RawMessage& message = messages_[ready_count_];
  message.header.msg_name = io_uring_recvmsg_name(header);
  message.header.msg_namelen = header->namelen;
  message.header.msg_control =
      static_cast<std::byte*>(message.header.msg_name) + shape_.msg_namelen;
  message.header.msg_controllen = header->controllen;
  message.payload = {static_cast<std::byte*>(io_uring_recvmsg_payload(header, &shape_)),
                     io_uring_recvmsg_payload_length(header, size, &shape_)};
  return &message;
}

void RingPoller::take_others() {
  others_rung_ = false;
  if (!std::exchange(others_ready_, false)) return;
  const auto others = others_.wait(std::chrono::milliseconds{0});
  others_rung_ = others_.rung();
  std::ranges::copy(others, ready_.begin() + static_cast<std::ptrdiff_t>(ready_count_));
  ready_count_ += others.size();
}

}  // namespace yuelao::server

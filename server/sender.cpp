#include "server/sender.hpp"

#include <netinet/udp.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace yuelao::server {
namespace {

// The kernel's limit on what one UDP_SEGMENT message may hold, headers included.
constexpr std::size_t segmented_bytes_limit = 65'000;

// Prefix, payload and padding.
constexpr std::size_t parts_of_send = 3;
constexpr std::array<std::byte, 4> zeros{};

std::size_t size_of(const turn::Send& send) {
  return send.prefix.size() + send.payload.size() + send.padding;
}

bool same_flow(const turn::Send& a, const turn::Send& b) {
  return a.to == b.to && a.source == b.source && a.dont_fragment == b.dont_fragment;
}

iovec vector_of(Bytes bytes) {
  // sendmsg(2) only reads, but its iovec is recvmsg(2)'s too.
  return {const_cast<std::byte*>(bytes.data()), bytes.size()};
}

// Appends one control message to `header`, whose buffer has room for it.
template <class T>
void add_control(msghdr& header, int level, int type, const T& value) {
  auto* at = static_cast<std::byte*>(header.msg_control) + header.msg_controllen;
  cmsghdr head{};
  head.cmsg_level = level;
  head.cmsg_type = type;
  head.cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(at, &head, sizeof head);
  std::memcpy(at + CMSG_LEN(0), &value, sizeof value);
  header.msg_controllen += CMSG_SPACE(sizeof value);
}

// A wildcard listener answers from the address it was asked at: a client, and a
// connected socket or a NAT on its side, accepts nothing from another.
void add_source(msghdr& header, const IpAddress& source) {
  if (source.family() == Family::ipv4) {
    in_pktinfo info{};
    info.ipi_spec_dst = to_kernel_v4(source);
    add_control(header, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    info.ipi6_addr = to_kernel_v6(source);
    add_control(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

bool queue_full(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ENOMEM;
}

// The route's device cannot segment for us (IPsec, no checksum offload), for ever. Nothing
// that comes by ICMP may be believed here: EIO does not.
bool segmentation_unsupported(int error) { return error == EIO; }

// IPv6 only: IPv4 has no such control message.
void forbid_fragments(msghdr& header) { add_control(header, IPPROTO_IPV6, IPV6_DONTFRAG, 1); }

// How many left. The fewer headers and vectors the kernel has to copy, the cheaper: most of
// what is relayed is one datagram in one piece.
int send_messages(int descriptor, std::span<mmsghdr> messages) {
  if (messages.size() > 1) {
    return ::sendmmsg(descriptor, messages.data(), static_cast<unsigned>(messages.size()),
                      MSG_DONTWAIT);
  }
  const msghdr& header = messages[0].msg_hdr;
  const bool plain = header.msg_iovlen == 1 && header.msg_controllen == 0;
  const auto sent =
      plain ? ::sendto(descriptor, header.msg_iov->iov_base, header.msg_iov->iov_len, MSG_DONTWAIT,
                       static_cast<const sockaddr*>(header.msg_name), header.msg_namelen)
            : ::sendmsg(descriptor, &header, MSG_DONTWAIT);
  return sent < 0 ? -1 : 1;
}

}  // namespace

void Sender::add(UdpSocket& socket, const turn::Send& send) {
  added_[count_] = {&socket, &send};
  ++count_;
}

void Sender::post() {
  sort_by_flow();
  ++posts_;
  posted_ = nullptr;
  message_count_ = 0;
  failing_count_ = 0;
  for (std::size_t first = 0; first < count_;) {
    std::size_t end = first + 1;
    while (end < count_ && entries_[end].socket == entries_[first].socket) ++end;
    send_from_socket(first, end);
    first = end;
  }
  count_ = 0;
}

// Sorts by a key of socket, flow and the order of the calls. Flows whose hashes meet
// get mixed, which costs a run but never a flow's order.
void Sender::sort_by_flow() {
  std::array<std::uint64_t, limit> keys;
  for (std::size_t i = 0; i < count_; ++i) {
    const auto socket = static_cast<std::uint64_t>(added_[i].socket->descriptor());
    const std::uint64_t flow = hash_value(added_[i].send->to) & 0xFFFFFF00U;
    keys[i] = socket << 32U | flow | i;
  }
  std::sort(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(count_));
  for (std::size_t i = 0; i < count_; ++i) entries_[i] = added_[keys[i] & 0xFFU];
}

// The longest run the kernel may cut up itself: equal sizes, of which the last one may
// be shorter.
Sender::Run Sender::run_at(std::size_t first, std::size_t end) const {
  const turn::Send& head = *entries_[first].send;
  const std::size_t size = size_of(head);
  if (!segmentation_ || size == 0) return {first, 1};
  std::size_t total = size;
  std::size_t at = first + 1;
  for (; at < end; ++at) {
    const turn::Send& next = *entries_[at].send;
    const std::size_t next_size = size_of(next);
    if (next_size > size || next_size == 0 || !same_flow(head, next)) break;
    total += next_size;
    if (total > segmented_bytes_limit) break;
    if (next_size < size) {
      ++at;
      break;
    }
  }
  return {first, at - first};
}

void Sender::send_from_socket(std::size_t first, std::size_t end) {
  Batch batch{message_count_, message_count_};
  while (first < end) {
    const Run run = run_at(first, end);
    const bool differs = batch.first < batch.end &&
                         entries_[first].send->dont_fragment != head_of(batch).send->dont_fragment;
    if (differs) {
      transmit_batch(batch);
      batch.first = batch.end;
    }
    compose(run, batch.end);
    first += run.count;
    ++batch.end;
  }
  message_count_ = batch.end;
  transmit_batch(batch);
}

bool Sender::holds_run(Batch batch) const {
  return std::any_of(runs_.begin() + static_cast<std::ptrdiff_t>(batch.first),
                     runs_.begin() + static_cast<std::ptrdiff_t>(batch.end),
                     [](const Run& run) { return run.count > 1; });
}

// Messages of one socket that may all be sent in fragments, or none of them. IPv4 knows DF only as
// an option of the socket (RFC 8656 §14): two more calls, for a batch whose client asked for it.
// A run that the kernel refuses is sent singly, before anything else of its flow leaves. So its
// batch is not posted; that run has saved more calls than the poller would.
void Sender::transmit_batch(Batch batch) {
  const Entry& head = head_of(batch);
  const bool option = head.send->dont_fragment && head.send->to.address.family() == Family::ipv4;
  if (poller_.posts() && !option && !holds_run(batch)) return post_batch(batch);
  // What comes before in a flow leaves before, and without DF.
  if (posted_ == head.socket) {
    poller_.submit();
    finish();
  }
  if (!option) return transmit(batch);
  if (head.socket->set_fragments(UdpSocket::Fragments::forbidden)) {
    transmit(batch);
  } else {
    for (std::size_t i = batch.first; i < batch.end; ++i) {
      drop(turn::Drop::send_failed, runs_[i].count);
    }
  }
  head.socket->set_fragments(UdpSocket::Fragments::allowed);
}

void Sender::post_batch(Batch batch) {
  posted_ = head_of(batch).socket;
  for (std::size_t i = batch.first; i < batch.end; ++i) {
    const Tag tag{static_cast<std::uint16_t>(i), posts_};
    poller_.post(posted_->descriptor(), headers_[i].msg_hdr, std::bit_cast<std::uint32_t>(tag));
  }
}

void Sender::finish() {
  for (const auto& [bits, error] : poller_.take_failures()) {
    const auto tag = std::bit_cast<Tag>(bits);
    if (queue_full(error)) {
      drop(turn::Drop::send_queue_full, 1);
    } else if (tag.post != posts_) {
      drop(turn::Drop::send_failed, 1);  // too late to send it again
    } else {
      note_error(entries_[runs_[tag.message].first]);
      transmit({tag.message, tag.message + std::size_t{1}});
    }
  }
}

void Sender::note_error(const Entry& entry) {
  entry.socket->note_error();
  const auto ref = entry.send->from;
  const bool known = failing_count_ > 0 && failing_[failing_count_ - 1] == ref;
  if (known || failing_count_ == failing_.size()) return;
  failing_[failing_count_] = ref;
  ++failing_count_;
}

std::span<const turn::SocketRef> Sender::take_failing() {
  return {failing_.data(), std::exchange(failing_count_, 0)};
}

mmsghdr& Sender::compose(Run run, std::size_t message) {
  runs_[message] = run;
  const Entry& head = entries_[run.first];
  destinations_[message] = SocketAddress{head.send->to};

  mmsghdr& result = headers_[message];
  msghdr& header = result.msg_hdr;
  header = {};
  header.msg_name = destinations_[message].data();
  header.msg_namelen = destinations_[message].size();
  header.msg_iov = &vectors_[parts_of_send * run.first];
  for (std::size_t i = run.first; i < run.first + run.count; ++i) {
    const turn::Send& send = *entries_[i].send;
    // The kernel would look at each of them, so what is empty is left out.
    for (const Bytes part : {send.prefix, send.payload, Bytes{zeros}.first(send.padding)}) {
      if (!part.empty()) header.msg_iov[header.msg_iovlen++] = vector_of(part);
    }
  }

  header.msg_control = controls_[message].octets.data();
  if (head.socket->wildcard() && !head.send->source.unspecified()) {
    add_source(header, head.send->source);
  }
  if (head.send->dont_fragment && head.send->to.address.family() == Family::ipv6) {
    forbid_fragments(header);
  }
  if (run.count > 1) {
    add_control(header, IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(size_of(*head.send)));
  }
  return result;
}

// A first failure may be about a datagram that was sent long ago: an ICMP error waits on its
// socket for the next call, which then does nothing else. The second one counts.
void Sender::transmit(Batch batch) {
  const int descriptor = head_of(batch).socket->descriptor();
  std::size_t failed = batch.end;  // the message whose first attempt did
  while (batch.first < batch.end) {
    ++system_calls_;
    const std::size_t at = batch.first;
    const int sent = send_messages(descriptor, {&headers_[at], batch.end - at});
    if (sent > 0) {
      batch.first += static_cast<std::size_t>(sent);
      // sendmmsg(2) keeps to itself what stopped it.
      if (batch.first < batch.end) note_error(head_of(batch));
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (queue_full(error)) {
      for (std::size_t i = at; i < batch.end; ++i) {
        drop(turn::Drop::send_queue_full, runs_[i].count);
      }
      return;
    }
    note_error(head_of(batch));
    if (std::exchange(failed, at) != at) continue;
    if (runs_[at].count > 1) {
      if (segmentation_unsupported(error)) segmentation_ = false;
      transmit_one_by_one(runs_[at]);
    } else {
      drop(turn::Drop::send_failed, 1);
    }
    ++batch.first;
  }
}

// The kernel refused to cut the run up: segments longer than the path allows, or a
// device without checksum offload.
void Sender::transmit_one_by_one(Run run) {
  for (std::size_t i = run.first; i < run.first + run.count; ++i) {
    transmit_one(entries_[i], compose({i, 1}, spare).msg_hdr);
  }
}

void Sender::transmit_one(const Entry& entry, const msghdr& header) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    ++system_calls_;
    if (::sendmsg(entry.socket->descriptor(), &header, MSG_DONTWAIT) >= 0) return;
    if (queue_full(errno)) return drop(turn::Drop::send_queue_full, 1);
    note_error(entry);
  }
  drop(turn::Drop::send_failed, 1);
}

void Sender::drop(turn::Drop reason, std::size_t datagrams) {
  counters_.drops[static_cast<std::size_t>(reason)] += datagrams;
}

}  // namespace yuelao::server

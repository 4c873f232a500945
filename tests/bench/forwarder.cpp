// What relaying costs without TURN: takes datagrams from one socket and puts them into
// another, as many at once as the kernel takes. Nothing can be faster by much, so this is
// what a relay is measured against. Anybody may use it: it belongs in a namespace of its own.

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <system_error>

#include "tests/bench/flows.hpp"
#include "tests/bench/ring_forwarder.hpp"
#include "tests/bench/udp_socket.hpp"

namespace yuelao::bench {
namespace {

// How datagrams of one flow that came together leave.
enum class Mode : std::uint8_t {
  plain,    // one by one, in one call (sendmmsg)
  segment,  // as one buffer (UDP_SEGMENT)
  merge,    // and may come as one as well (UDP_GRO)
  ring,     // one by one, by io_uring
};

constexpr std::size_t most_datagrams = 64;
constexpr std::size_t most_segments = 64;
constexpr std::size_t most_bytes = 65'000;
constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(int));

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

// What one recvmmsg brought.
class Received {
 public:
  Received() : octets_(most_datagrams * slot_bytes) {
    for (std::size_t i = 0; i < most_datagrams; ++i) {
      slots_[i] = {octets_.data() + i * slot_bytes, slot_bytes};
      auto& header = headers_[i].msg_hdr;
      header.msg_iov = &slots_[i];
      header.msg_iovlen = 1;
      header.msg_name = &senders_[i].storage;
      header.msg_control = control_[i].data();
    }
  }

  std::size_t from(int descriptor) {
    for (auto& header : headers_) {
      header.msg_hdr.msg_namelen = sizeof(sockaddr_storage);
      header.msg_hdr.msg_controllen = control_bytes;
    }
    const int count =
        ::recvmmsg(descriptor, headers_.data(), most_datagrams, MSG_DONTWAIT, nullptr);
    if (count < 0 && errno != EAGAIN && errno != ECONNREFUSED) fail("recvmmsg");
    return static_cast<std::size_t>(std::max(count, 0));
  }
  Bytes datagrams(std::size_t i) const {
    return Bytes{octets_}.subspan(i * slot_bytes, headers_[i].msg_len);
  }
  // Of each but the last of datagrams(); their size where it is one.
  std::size_t segment(std::size_t i) {
    auto& header = headers_[i].msg_hdr;
    for (auto* one = CMSG_FIRSTHDR(&header); one; one = CMSG_NXTHDR(&header, one)) {
      if (one->cmsg_level != SOL_UDP || one->cmsg_type != UDP_GRO) continue;
      int size = 0;
      std::memcpy(&size, CMSG_DATA(one), sizeof size);
      return static_cast<std::size_t>(size);
    }
    return headers_[i].msg_len;
  }
  const KernelAddress& sender(std::size_t i) const { return senders_[i]; }

 private:
  static constexpr std::size_t slot_bytes = 65'536;

  std::vector<std::byte> octets_;
  std::array<iovec, most_datagrams> slots_{};
  std::array<KernelAddress, most_datagrams> senders_{};
  std::array<std::array<std::byte, control_bytes>, most_datagrams> control_{};
  std::array<mmsghdr, most_datagrams> headers_{};
};

// What leaves a socket in one sendmmsg.
class Outgoing {
 public:
  explicit Outgoing(bool segment) : segment_{segment} {}

  void begin(int descriptor) {
    descriptor_ = descriptor;
    messages_ = slots_used_ = 0;
  }
  // Behind what is there already where it may be one run with it.
  void add(Bytes datagrams, std::size_t size, const KernelAddress& to) {
    const bool whole = datagrams.size() % size == 0;
    const auto count = (datagrams.size() + size - 1) / size;
    if (joins(datagrams, size, to, count)) {
      auto& run = runs_[messages_ - 1];
      slots_[slots_used_++] = slot(datagrams);
      ++headers_[messages_ - 1].msg_hdr.msg_iovlen;
      run.segments += count;
      run.bytes += datagrams.size();
      run.whole = whole;
      if (run.segments > 1) set_segment(messages_ - 1, size);
      return;
    }
    auto& header = headers_[messages_].msg_hdr;
    header = {};
    header.msg_name = const_cast<sockaddr_storage*>(&to.storage);
    header.msg_namelen = to.size;
    header.msg_iov = &slots_[slots_used_];
    header.msg_iovlen = 1;
    slots_[slots_used_++] = slot(datagrams);
    runs_[messages_] = {size, count, datagrams.size(), whole};
    if (count > 1) set_segment(messages_, size);
    ++messages_;
  }
  void send() {
    std::size_t sent = 0;
    while (sent < messages_) {
      const int count =
          ::sendmmsg(descriptor_, &headers_[sent], static_cast<unsigned>(messages_ - sent), 0);
      if (count < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED) {
        fail("sendmmsg");
      }
      sent += static_cast<std::size_t>(std::max(count, 1));  // what is refused is lost
    }
  }

 private:
  struct Run {
    std::size_t size = 0;
    std::size_t segments = 0;
    std::size_t bytes = 0;
    bool whole = true;  // its last datagram is as long as the others
  };

  static iovec slot(Bytes datagrams) {
    return {const_cast<std::byte*>(datagrams.data()), datagrams.size()};
  }
  bool joins(Bytes datagrams, std::size_t size, const KernelAddress& to, std::size_t count) const {
    if (!segment_ || messages_ == 0) return false;
    const auto& run = runs_[messages_ - 1];
    return run.size == size && run.whole && run.segments + count <= most_segments &&
           run.bytes + datagrams.size() <= most_bytes &&
           headers_[messages_ - 1].msg_hdr.msg_name == &to.storage;
  }
  void set_segment(std::size_t message, std::size_t size) {
    auto& header = headers_[message].msg_hdr;
    header.msg_control = control_[message].data();
    header.msg_controllen = CMSG_SPACE(sizeof(std::uint16_t));
    auto* one = CMSG_FIRSTHDR(&header);
    one->cmsg_level = SOL_UDP;
    one->cmsg_type = UDP_SEGMENT;
    one->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto segment = static_cast<std::uint16_t>(size);
    std::memcpy(CMSG_DATA(one), &segment, sizeof segment);
  }

  bool segment_;
  int descriptor_ = -1;
  std::size_t messages_ = 0;
  std::size_t slots_used_ = 0;
  std::array<iovec, most_datagrams> slots_{};
  std::array<Run, most_datagrams> runs_{};
  std::array<std::array<std::byte, control_bytes>, most_datagrams> control_{};
  std::array<mmsghdr, most_datagrams> headers_{};
};

class Forwarder {
 public:
  Forwarder(const Endpoint& at, Mode mode)
      : flows_{at, mode == Mode::merge}, outgoing_{mode != Mode::plain} {
    poller_.add(flows_.listener().descriptor(), listening);
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const auto label : poller_.wait(1'000'000'000)) {
        if (label == listening) {
          from_clients();
        } else {
          from_peer(flows_[label]);
        }
      }
    }
  }

 private:
  static constexpr std::uint32_t listening = 0xFFFF'FFFF;

  void from_clients() {
    const auto count = received_.from(flows_.listener().descriptor());
    const Flow* last = nullptr;
    for (std::size_t i = 0; i < count; ++i) {
      const auto* const flow = flows_.of(received_.sender(i));
      if (flow == nullptr) {
        const auto* const fresh = flows_.welcome(received_.sender(i), received_.datagrams(i));
        if (fresh != nullptr) poller_.add(fresh->relay.descriptor(), fresh->number);
        continue;
      }
      if (flow != last) {
        if (last) outgoing_.send();
        outgoing_.begin(flow->relay.descriptor());
        last = flow;
      }
      outgoing_.add(received_.datagrams(i), received_.segment(i), flow->peer);
    }
    if (last) outgoing_.send();
  }

  void from_peer(const Flow& flow) {
    const auto count = received_.from(flow.relay.descriptor());
    outgoing_.begin(flows_.listener().descriptor());
    for (std::size_t i = 0; i < count; ++i) {
      outgoing_.add(received_.datagrams(i), received_.segment(i), flow.client);
    }
    outgoing_.send();
  }

  Flows flows_;
  Outgoing outgoing_;
  Received received_;
  Poller poller_;
};

int run(int argc, char** argv) {
  CLI::App app{"Forwards datagrams between two sockets, as a relay does, without any protocol."};
  const std::map<std::string, Mode> modes{{"plain", Mode::plain},
                                          {"segment", Mode::segment},
                                          {"merge", Mode::merge},
                                          {"ring", Mode::ring}};
  std::string at;
  auto mode = Mode::plain;
  app.add_option("--listen", at, "ADDRESS:PORT")->required();
  app.add_option("--mode", mode,
                 "plain, segment (UDP_SEGMENT), merge (and UDP_GRO) or ring (io_uring)")
      ->transform(CLI::CheckedTransformer(modes));
  CLI11_PARSE(app, argc, argv);
  const auto listen = Endpoint::parse(at);
  if (!listen || listen->address.family() != Family::ipv4) {
    std::cerr << "forwarder: not an IPv4 ADDRESS:PORT: " << at << '\n';
    return EXIT_FAILURE;
  }
  if (mode == Mode::ring) RingForwarder{*listen}.run();
  Forwarder{*listen, mode}.run();
}

}  // namespace
}  // namespace yuelao::bench

int main(int argc, char** argv) {
  try {
    return yuelao::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "forwarder: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}

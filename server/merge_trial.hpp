#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace yuelao::server {

// Whether the kernel should merge a socket's datagrams on their way in (UDP_GRO, udp(7)).
// A run of one flow, such as a frame of video, then costs one pass through the stack and
// one receive; flows that take turns only pay for the attempt. So each socket is tried,
// and tried again ever less often while merging brings nothing. A new socket merges.
class MergeTrial {
 public:
  enum class Change : std::uint8_t { merge, do_not_merge };

  // After a receive of `messages` that held `datagrams` in all: what to change, if
  // anything. The caller carries it out.
  std::optional<Change> after(std::size_t messages, std::size_t datagrams);

 private:
  static constexpr std::uint32_t trial_messages = 128;
  // In messages: at 50 a second, an audio call's pace, from 20 s to 20 minutes.
  static constexpr std::uint32_t first_pause = 1024;
  static constexpr std::uint32_t longest_pause = 65'536;

  std::uint32_t messages_ = 0;
  std::uint32_t datagrams_ = 0;
  std::uint32_t pause_ = first_pause;
  bool merging_ = true;
};

}  // namespace yuelao::server

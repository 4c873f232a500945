#include "server/merge_trial.hpp"

#include <algorithm>

namespace yuelao::server {

std::optional<MergeTrial::Change> MergeTrial::after(std::size_t messages, std::size_t datagrams) {
  messages_ += static_cast<std::uint32_t>(messages);
  datagrams_ += static_cast<std::uint32_t>(datagrams);
  if (messages_ < (merging_ ? trial_messages : pause_)) return std::nullopt;

  // One message saved in five pays for the attempts.
  const bool worth_it = datagrams_ - messages_ >= messages_ / 4;
  messages_ = datagrams_ = 0;
  if (!merging_) {
    merging_ = true;
    pause_ = std::min(2 * pause_, longest_pause);
    return Change::merge;
  }
  if (worth_it) {
    pause_ = first_pause;
    return std::nullopt;
  }
  merging_ = false;
  return Change::do_not_merge;
}

}  // namespace yuelao::server

#include "server/mailbox.hpp"

#include <utility>

namespace yuelao::server {

void Mailbox::Pile::clear() {
  letters.clear();
  octets.clear();
}

template <class Content>
Mailbox::Posted Mailbox::post_letter(const Content& content) {
  bool first = false;
  {
    const std::lock_guard lock{mutex_};
    const std::size_t offset = waiting_.octets.size();
    if (offset + content.payload.size() > limit_bytes ||
        waiting_.letters.size() * sizeof(Letter) > limit_bytes) {
      return Posted::full;
    }
    first = waiting_.letters.empty();
    waiting_.octets.insert(waiting_.octets.end(), content.payload.begin(), content.payload.end());
    waiting_.letters.push_back({content, offset});
  }
  if (first) wake_();
  return Posted::posted;
}

template Mailbox::Posted Mailbox::post_letter(const turn::Handover&);
template Mailbox::Posted Mailbox::post_letter(const turn::Forward&);

void Mailbox::swap() {
  taken_.clear();
  const std::lock_guard lock{mutex_};
  std::swap(waiting_, taken_);
}

Mailboxes::Mailboxes(std::size_t shards) {
  boxes_.reserve(shards);
  for (std::size_t i = 0; i < shards; ++i) boxes_.push_back(std::make_unique<Mailbox>());
}

}  // namespace yuelao::server

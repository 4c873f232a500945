#include "server/mailbox.hpp"

#include <utility>

namespace yuelao::server {

void Mailbox::Pile::clear() {
  parcels.clear();
  letters.clear();
  octets.clear();
}

Mailbox::Posted Mailbox::post(const turn::Handover& handover) { return post_letter(handover); }
Mailbox::Posted Mailbox::post(const turn::Forward& forward) { return post_letter(forward); }
void Mailbox::post(const turn::Errand& errand) { post_parcel(errand); }
void Mailbox::post(Removal removal) { post_parcel(std::move(removal)); }

template <class Content>
Mailbox::Posted Mailbox::post_letter(const Content& content) {
  bool first = false;
  {
    const std::lock_guard lock{mutex_};
    const auto payload = content.payload;
    const std::size_t offset = waiting_.octets.size();
    if (offset + payload.size() > limit_bytes ||
        waiting_.letters.size() * sizeof(Letter) > limit_bytes) {
      return Posted::full;
    }
    first = waiting_.empty();
    waiting_.octets.insert(waiting_.octets.end(), payload.begin(), payload.end());
    waiting_.letters.push_back({content, offset, payload.size()});
  }
  if (first) wake_();
  return Posted::posted;
}

template <class Parcel>
void Mailbox::post_parcel(Parcel parcel) {
  bool first = false;
  {
    const std::lock_guard lock{mutex_};
    first = waiting_.empty();
    waiting_.parcels.emplace_back(std::move(parcel));
  }
  if (first) wake_();
}

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

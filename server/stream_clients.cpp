#include "server/stream_clients.hpp"

#include <utility>

namespace yuelao::server {

StreamClient& StreamClients::add(Arrival arrival) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  Slot& slot = slots_[index];
  const auto ref = turn::SocketRef::stream(index, ++slot.generation);
  slot.client = std::make_shared<StreamClient>(std::move(arrival), ref, host_);
  free_.pop_back();
  return *slot.client;
}

StreamClient* StreamClients::find(turn::SocketRef ref) {
  if (ref.index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[ref.index];
  return slot.generation == ref.generation ? slot.client.get() : nullptr;
}

void StreamClients::remove(turn::SocketRef ref) {
  if (find(ref) == nullptr) return;
  const auto client = std::exchange(slots_[ref.index].client, nullptr);
  free_.push_back(ref.index);
  client->close();
}

}  // namespace yuelao::server

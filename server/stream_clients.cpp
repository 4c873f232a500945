#include "server/stream_clients.hpp"

#include <utility>

namespace yuelao::server {

std::expected<StreamClient*, std::error_code> StreamClients::add(Arrival arrival) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  Slot& slot = slots_[index];
  const auto ref = turn::SocketRef::stream(index, ++slot.generation);
  auto client = std::make_unique<StreamClient>(std::move(arrival), ref, poller_, buffers_);
  if (const auto error = client->watch()) return std::unexpected{error};
  slot.client = std::move(client);
  free_.pop_back();
  return slot.client.get();
}

StreamClient* StreamClients::find(turn::SocketRef ref) {
  if (ref.index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[ref.index];
  return slot.generation == ref.generation ? slot.client.get() : nullptr;
}

void StreamClients::remove(turn::SocketRef ref) {
  if (find(ref) == nullptr) return;
  slots_[ref.index].client.reset();
  free_.push_back(ref.index);
}

}  // namespace yuelao::server

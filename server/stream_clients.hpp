#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <system_error>
#include <vector>

#include "protocol/turn/socket_ref.hpp"
#include "server/stream_client.hpp"

namespace yuelao::server {

// The stream clients of one shard, found by the number the engine knows them by.
class StreamClients {
 public:
  // The poller outlives this.
  explicit StreamClients(Poller& poller) : poller_{poller} {}

  // Errors: epoll's; then the connection is closed.
  std::expected<StreamClient*, std::error_code> add(Arrival arrival);
  // Null when it has gone, or its number now belongs to another.
  StreamClient* find(turn::SocketRef ref);
  // Closes it.
  void remove(turn::SocketRef ref);

  std::size_t size() const { return slots_.size() - free_.size(); }

  template <class Visitor>
  void for_each(Visitor visit) {
    for (const Slot& slot : slots_) {
      if (slot.client) visit(*slot.client);
    }
  }

 private:
  struct Slot {
    std::uint32_t generation = 0;
    std::unique_ptr<StreamClient> client;
  };

  Poller& poller_;
  StreamBuffers buffers_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace yuelao::server

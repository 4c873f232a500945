#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/turn/outbox.hpp"

namespace yuelao::server {

// Datagrams that other shards' relays have for one shard's: copied in by their threads and
// taken out, all at once, by its own. The lock is held for a copy or a swap.
class Mailbox {
 public:
  // What may wait. Like a relay's socket: more than this is late rather than lost.
  static constexpr std::size_t limit_bytes = std::size_t{512} * 1024;

  // `wake` is called by a posting thread when the mailbox was empty before.
  void on_first(std::function<void()> wake) { wake_ = std::move(wake); }

  enum class Posted : std::uint8_t { posted, full };
  // From any thread.
  Posted post(const turn::Handover& handover);

  // On the owner's thread: visit(const turn::Handover&) for each datagram, in the order of
  // each sender. The payloads live until the next call.
  template <class Visit>
  void take(Visit visit) {
    swap();
    for (const Letter& letter : taken_.letters) {
      visit(turn::Handover{letter.shard, letter.relay, letter.source,
                           Bytes{taken_.octets}.subspan(letter.offset, letter.size)});
    }
  }

 private:
  struct Letter {
    turn::ShardNumber shard;
    Endpoint relay;
    Endpoint source;
    std::size_t offset;
    std::size_t size;
  };
  struct Pile {
    std::vector<Letter> letters;
    std::vector<std::byte> octets;
    void clear();
  };

  void swap();

  std::function<void()> wake_;
  std::mutex mutex_;
  Pile waiting_;
  Pile taken_;
};

// One for each shard of a server, by its number.
class Mailboxes {
 public:
  explicit Mailboxes(std::size_t shards);
  Mailbox& of(turn::ShardNumber shard) { return *boxes_[shard]; }

 private:
  std::vector<std::unique_ptr<Mailbox>> boxes_;
};

}  // namespace yuelao::server

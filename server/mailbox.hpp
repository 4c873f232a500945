#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/turn/outbox.hpp"

namespace yuelao::server {

// Datagrams that other shards have for one shard, from their relays for its relays and from its
// clients that moved: copied in by their threads and taken out, all at once, by its own. The lock
// is held for a copy or a swap.
class Mailbox {
 public:
  // What may wait. Like a relay's socket: more than this is late rather than lost.
  static constexpr std::size_t limit_bytes = std::size_t{512} * 1024;

  // `wake` is called by a posting thread when the mailbox was empty before.
  void on_first(std::function<void()> wake) { wake_ = std::move(wake); }

  enum class Posted : std::uint8_t { posted, full };
  // From any thread.
  Posted post(const turn::Handover& handover) { return post_letter(handover); }
  Posted post(const turn::Forward& forward) { return post_letter(forward); }

  // On the owner's thread: visits each, a Handover or a Forward, in the order of each sender. The
  // payloads live until the next call.
  template <class Visit>
  void take(Visit visit) {
    swap();
    for (Letter& letter : taken_.letters) {
      std::visit(
          [&](auto& content) {
            content.payload = Bytes{taken_.octets}.subspan(letter.offset, content.payload.size());
            visit(std::as_const(content));
          },
          letter.content);
    }
  }

 private:
  // The payload is at `offset` of the octets.
  struct Letter {
    std::variant<turn::Handover, turn::Forward> content;
    std::size_t offset;
  };
  struct Pile {
    std::vector<Letter> letters;
    std::vector<std::byte> octets;
    void clear();
  };

  template <class Content>
  Posted post_letter(const Content& content);
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

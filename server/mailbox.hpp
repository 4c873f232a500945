#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/turn/outbox.hpp"
#include "server/relay_sockets.hpp"

namespace yuelao::server {

// An allocation that moves from one shard to another with its client (RFC 8016), and its relays.
struct Removal {
  std::vector<turn::Allocation> allocations;
  std::vector<RelaySockets::Relay> relays;
};

// What other shards have for one shard: datagrams to its relays, messages of clients that move
// between shards, and what it has to know of these. Copied in by their threads and taken out, all
// at once, by its own. The lock is held for a copy or a swap.
class Mailbox {
 public:
  // What may wait of datagrams and messages. Like a relay's socket: more than this is late rather
  // than lost.
  static constexpr std::size_t limit_bytes = std::size_t{512} * 1024;

  // `wake` is called by a posting thread when the mailbox was empty before.
  void on_first(std::function<void()> wake) { wake_ = std::move(wake); }

  enum class Posted : std::uint8_t { posted, full };
  // From any thread.
  Posted post(const turn::Handover& handover);
  Posted post(const turn::Forward& forward);
  // Never full: an errand answers a Forward, of which the limit let so many through, or ends what
  // such an answer began.
  void post(const turn::Errand& errand);
  void post(Removal removal);

  // On the owner's thread: visits each errand and removal, then each handover and forward, in
  // the order of each sender. The payloads live until the next call.
  template <class Visit>
  void take(Visit visit) {
    swap();
    for (auto& parcel : taken_.parcels) {
      std::visit([&](auto& known) { visit(std::move(known)); }, parcel);
    }
    for (const Letter& letter : taken_.letters) {
      const auto payload = Bytes{taken_.octets}.subspan(letter.offset, letter.size);
      std::visit(
          [&](auto known) {
            known.payload = payload;
            visit(std::move(known));
          },
          letter.content);
    }
  }

 private:
  struct Letter {
    std::variant<turn::Handover, turn::Forward> content;  // but for the payload
    std::size_t offset;
    std::size_t size;
  };
  struct Pile {
    std::vector<std::variant<turn::Errand, Removal>> parcels;
    std::vector<Letter> letters;
    std::vector<std::byte> octets;
    bool empty() const { return parcels.empty() && letters.empty(); }
    void clear();
  };

  template <class Content>
  Posted post_letter(const Content& content);
  template <class Parcel>
  void post_parcel(Parcel parcel);
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

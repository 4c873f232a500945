#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/edge/dtls_record.hpp"
#include "protocol/now.hpp"
#include "protocol/turn/counters.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "server/arrival_order.hpp"
#include "server/connection_limit.hpp"
#include "server/dtls_cookies.hpp"
#include "server/dtls_handshakes.hpp"
#include "server/dtls_outbox.hpp"
#include "server/dtls_session.hpp"
#include "server/meters.hpp"

namespace yuelao::server {

// One client's DTLS association (RFC 6347), the handshake for it, or both: who starts anew from
// the same address keeps what there is until the new keys are agreed on (RFC 6347 §4.2.8).
struct DtlsClient {
  turn::ClientPath path;  // its socket is the association that is up
  turn::SocketRef listener;
  std::unique_ptr<DtlsSession> session;  // null: none is up
  edge::HelloRandom hello{};             // that it began with

  struct Coming {
    turn::SocketRef ref;
    edge::HelloRandom hello;
  };
  std::optional<Coming> coming;

  ConnectionLimit::Place place;

  // Where its datagrams go.
  DtlsOutbox::Route route() const {
    return {listener, path.tuple.server.address, path.tuple.client};
  }

  // Kept by the shard: when to close it unless it has an allocation.
  SteadyTime deadline;
  // Whether something came or went lately.
  bool busy = false;
  // Messages for the shard that it is about to move to.
  std::vector<std::vector<std::byte>> taken_along;
};

// An association that goes from one shard to another with its client (RFC 8016).
struct DtlsArrival {
  FiveTuple tuple;
  turn::SocketRef listener;
  std::unique_ptr<DtlsSession> session;
  edge::HelloRandom hello{};
  std::vector<std::vector<std::byte>> messages;  // decrypted, and nobody has decided on them
  ConnectionLimit::Place place;
};

// The DTLS clients of one shard, found by their five-tuple or by the number the engine knows
// them by. Nothing is kept of anybody who has not shown to be at its address (RFC 7350 §4.6).
class DtlsClients {
 public:
  // All of it outlives this.
  struct Surroundings {
    DtlsHandshakes& handshakes;
    ConnectionLimit& connections;
    Random& random;
    turn::Counters& counters;
    Meters& meters;
  };
  explicit DtlsClients(Surroundings surroundings);

  // For clients that come; null: there is no DTLS.
  void use(std::shared_ptr<TlsContext> context);
  bool open() const { return greeter_ != nullptr; }

  // Who sent it, and by which listener it came.
  struct Origin {
    turn::SocketRef listener;
    FiveTuple tuple;
  };
  // Greets, passes on to a handshake, or drops and counts. What is left is for an association
  // that is up: the client whose it is, or null.
  DtlsClient* receive(const Origin& origin, Bytes datagram, DtlsOutbox& out);

  struct Change {
    DtlsClient* begun = nullptr;            // its association is up now
    std::optional<turn::ClientPath> ended;  // and another one is not any more
  };
  Change on_news(DtlsHandshakes::News news, DtlsOutbox& out);
  // Gives away the association that is up; a handshake beside it is forgotten.
  DtlsArrival depart(DtlsClient& client);
  // One that another shard gave away.
  Change adopt(DtlsArrival arrival);

  // Whether it has one that is up or coming.
  bool knows(const FiveTuple& client) const { return by_tuple_.contains(client); }
  // Null when it has gone, or its number now belongs to another.
  DtlsClient* find(turn::SocketRef association);
  // Ends the association that is up.
  void end(DtlsClient& client);
  // Cookies change, and who is silent holds no buffers; about once a second.
  void advance(SteadyTime now);

  // Associations that are up or coming.
  std::size_t size() const { return by_tuple_.size(); }

  template <class Visitor>
  void for_each(Visitor visit) {
    for (const Slot& slot : slots_) {
      if (slot.client) visit(*slot.client);
    }
  }

 private:
  struct Slot {
    std::uint32_t generation = 0;
    std::unique_ptr<DtlsClient> client;
  };

  std::unique_ptr<DtlsSession> make_session() const;
  void greet(const Origin& origin, const DtlsSession::Hello& hello, DtlsOutbox& out);
  void begin(const Origin& origin, const edge::HelloRandom& hello);
  DtlsClient* client_at(const FiveTuple& tuple);
  DtlsClient* admit(const Origin& origin);
  DtlsClient& place(const Origin& origin);
  void remove(const DtlsClient& client);
  void forget_coming(DtlsClient& client);
  void forget_if_nothing(const DtlsClient& client);
  void drop(turn::Drop reason);

  Surroundings around_;
  DtlsCookies cookies_;
  std::shared_ptr<TlsContext> context_;
  std::unique_ptr<DtlsSession> greeter_;
  boost::unordered_flat_map<FiveTuple, std::uint32_t> by_tuple_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  // Handshakes under way, by slot. Each may take ten seconds, and they share a thread: with more of
  // them none would be done in time.
  ArrivalOrder<std::uint32_t> coming_;
};

}  // namespace yuelao::server

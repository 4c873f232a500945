#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocol/bytes.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "server/datagrams.hpp"
#include "server/dtls_session.hpp"
#include "server/meters.hpp"

namespace yuelao::server {

// The DTLS handshakes under way with the clients of one shard. They are the entrance's, on its
// thread, because one takes as long as a hundred packets; their datagrams come and go by the
// shard, whose socket they use.
class DtlsHandshakes {
 public:
  // What has become of one.
  struct News {
    turn::SocketRef ref;
    Datagrams flight;  // for the client
    // Once it is done: then it belongs to the shard again.
    std::unique_ptr<DtlsSession> session;
    bool failed = false;
  };
  // Called on the entrance's thread.
  using Told = std::function<void(News news)>;

  // Both outlive this.
  DtlsHandshakes(boost::asio::io_context& io, EntranceMeters& meters, Told told);
  ~DtlsHandshakes();
  DtlsHandshakes(const DtlsHandshakes&) = delete;
  DtlsHandshakes& operator=(const DtlsHandshakes&) = delete;

  // These from the shard's thread; nothing is told any more of one that was abandoned.
  //
  // The session has greeted its client.
  void begin(turn::SocketRef ref, std::unique_ptr<DtlsSession> session);
  // A datagram of the client's. False: too many wait already.
  bool give(turn::SocketRef ref, Bytes datagram);
  void abandon(turn::SocketRef ref);

  // On the entrance's thread.
  void close_all();

 private:
  struct Handshake;

  void go_on(turn::SocketRef ref, Bytes datagram);
  void wait(turn::SocketRef ref, Handshake& handshake);
  void end(turn::SocketRef ref, Datagrams flight, DtlsSession::Handshake how);

  boost::asio::io_context& io_;
  EntranceMeters& meters_;
  Told told_;
  std::map<turn::SocketRef, std::unique_ptr<Handshake>> under_way_;
  std::atomic<std::size_t> waiting_ = 0;  // datagrams
};

}  // namespace yuelao::server

#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/now.hpp"
#include "protocol/turn/outbox.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "server/connection.hpp"

namespace yuelao::server {

class StreamClient;

// What a stream client tells its shard, on the shard's thread.
class StreamHost {
 public:
  virtual ~StreamHost() = default;
  // There are new octets: take whole messages off received().
  virtual void on_received(StreamClient& client) = 0;
  // It has gone, or broke TLS. Told at most once, and not after close().
  virtual void on_ended(StreamClient& client) = 0;
};

// One TURN client's TCP or TLS connection: a bounded input buffer, from which the shard takes
// messages, and a bounded output queue. Lives as long as the shard or an operation of
// Asio's holds it.
class StreamClient : public std::enable_shared_from_this<StreamClient> {
 public:
  // The longest message with its padding. Far above what a relay can send on without
  // fragments, and all the memory a stranger's half message can hold.
  static constexpr std::size_t message_limit = std::size_t{16} * 1024;
  // Relayed data is dropped when this much is waiting: later it is of no use to a call.
  static constexpr std::size_t relayed_limit = std::size_t{64} * 1024;
  // A client that lets even its answers pile up to here is not reading at all.
  static constexpr std::size_t queue_limit = std::size_t{96} * 1024;

  // `host` outlives this.
  StreamClient(Arrival arrival, turn::SocketRef ref, StreamHost& host);

  // Tells the host of what has arrived already, and reads on.
  void start();

  const turn::ClientPath& path() const { return path_; }

  // What has come and was not consumed yet; lives until on_received() returns.
  Bytes received() const { return Bytes{input_}.subspan(consumed_, filled_ - consumed_); }
  void consume(std::size_t size) { consumed_ += size; }

  enum class Queued { queued, dropped, overflowed };
  // Copies the message into the queue; write() sends it. On `overflowed` close it.
  Queued queue(const turn::Send& send);
  void write();
  // Writes what is queued, then says goodbye; on_ended() tells when that is done.
  void finish();
  // At once, and nothing is told any more.
  void close();

  bool finishing() const { return finishing_; }
  // Kept by the shard: when to close it unless it has an allocation.
  SteadyTime deadline;

 private:
  using Error = boost::system::error_code;

  void read();
  void on_read(Error error, std::size_t size);
  void make_room();
  void on_written(Error error);
  void say_goodbye();
  void end();

  std::unique_ptr<Connection> connection_;
  StreamHost& host_;
  turn::ClientPath path_;
  std::vector<std::byte> input_;
  std::size_t filled_ = input_.size();
  std::size_t consumed_ = 0;
  std::vector<std::byte> queue_;    // waiting
  std::vector<std::byte> writing_;  // being written
  bool finishing_ = false;
  bool said_goodbye_ = false;
  bool closed_ = false;
};

}  // namespace yuelao::server

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocol/now.hpp"
#include "protocol/turn/engine.hpp"
#include "protocol/turn/outbox.hpp"
#include "server/connection_limit.hpp"
#include "server/datagram_pool.hpp"
#include "server/entrance.hpp"
#include "server/mailbox.hpp"
#include "server/meters.hpp"
#include "server/random.hpp"
#include "server/relay_ports.hpp"
#include "server/relay_sockets.hpp"
#include "server/sender.hpp"
#include "server/shared_reservations.hpp"
#include "server/stream_clients.hpp"
#include "server/stream_listener.hpp"
#include "server/stream_settings.hpp"
#include "server/udp_poller.hpp"
#include "server/udp_socket.hpp"

namespace yuelao::server {

// One thread's share of the server: its own listeners, relays, streams and engine.
// Nothing on the packet path is shared with another shard.
class Shard final : private StreamHost {
 public:
  // What all shards of a server have in common; outlives them.
  struct Common {
    turn::Shared turn;  // with this shard's own number
    ConnectionLimit& connections;
    Mailboxes& mailboxes;
    SharedReservations& reservations;  // turn.reservations, with their sockets
  };

  // `ports` is this shard's own slice of the relay ports.
  Shard(const turn::Options& options, PortRange ports, Common common);

  // Before run(). The kernel keeps a five-tuple on its shard only while the group of
  // listeners stays as it is, so every shard gets all of its own before any serves.
  void add_listener(UdpSocket socket);
  void add_listener(ListeningSocket socket, Transport transport);
  void use(StreamSettings settings) { entrance_.use(std::move(settings)); }

  // Serves on the calling thread until stop().
  void run();

  // From any thread; each takes effect between two rounds.
  void reconfigure(turn::Options options, StreamSettings settings);
  // Relays are opened on the options' addresses from now on; `directory` knows them too.
  void readdress(turn::Options options, turn::RelayDirectory directory);
  // No new calls; calls `drained` on this shard's thread once the last one has ended.
  void drain(std::function<void()> drained);
  // Ends what is left and returns from run().
  void stop();
  void snapshot(std::function<void(const ShardSnapshot&)> answer);

 private:
  using Error = boost::system::error_code;

  // A round: read, decide, send, carry out (ARCHITECTURE.md).
  void wait_for_datagrams();
  void serve_datagrams();
  // These say how much they received.
  std::size_t serve_round();
  std::size_t visit(turn::SocketRef ref, Now now);
  std::size_t visit_listener(turn::SocketRef ref, Now now);
  std::size_t visit_relay(turn::SocketRef ref, Now now);
  void report_errors(turn::RelayId relay, UdpSocket& socket, Now now);
  void serve_mailbox();
  void make_room();
  void settle(Now now);
  void flush_sends();
  void flush_handovers();
  void send_to_stream(const turn::Send& send);
  void count_round(SteadyTime begin);

  void carry_out(const turn::OpenRelay& command, Now now);
  void carry_out(const turn::OpenReserved& command, Now now);
  void carry_out(const turn::CloseRelay& command, Now now);
  void carry_out(const turn::CloseReserved& command, Now now);
  void carry_out(const turn::CloseClient& command, Now now);
  void carry_out(const turn::Notice& command, Now now);

  void wait_for_tick();
  void tick();
  void close_overdue_streams(Now now);

  void on_arrival(Arrival arrival);
  void on_received(StreamClient& client) override;
  void on_ended(StreamClient& client) override;
  void end_stream(turn::SocketRef ref, Now now);

  boost::asio::io_context context_{1};
  SystemRandom random_;
  ConnectionLimit& connections_;
  Mailboxes& mailboxes_;
  Mailbox& mailbox_;
  turn::Engine engine_;
  turn::Outbox outbox_;
  Meters meters_;
  DatagramPool pool_;
  UdpPoller poller_{context_};
  Sender sender_{engine_.counters()};
  std::vector<UdpSocket> listeners_;
  RelaySockets relays_;
  std::vector<std::unique_ptr<StreamListener>> stream_listeners_;
  StreamClients streams_{*this};
  std::vector<turn::SocketRef> writing_;     // streams that got something this flush
  std::vector<turn::SocketRef> overflowed_;  // streams to end once the sends are out
  Entrance entrance_{context_, connections_, meters_,
                     [this](Arrival arrival) { on_arrival(std::move(arrival)); }};
  boost::asio::steady_timer tick_{context_};
  std::function<void()> drained_;
};

}  // namespace yuelao::server

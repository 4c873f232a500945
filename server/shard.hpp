#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/now.hpp"
#include "protocol/turn/engine.hpp"
#include "protocol/turn/outbox.hpp"
#include "server/datagram_pool.hpp"
#include "server/dtls_clients.hpp"
#include "server/entrance.hpp"
#include "server/meters.hpp"
#include "server/peer_connections.hpp"
#include "server/poller.hpp"
#include "server/random.hpp"
#include "server/relay_ports.hpp"
#include "server/relay_sockets.hpp"
#include "server/sender.hpp"
#include "server/shared_state.hpp"
#include "server/stream_clients.hpp"
#include "server/stream_settings.hpp"
#include "server/task_queue.hpp"
#include "server/udp_socket.hpp"

namespace yuelao::server {

// One thread's share of the server: its own listeners, relays, streams and engine.
// Nothing on the packet path is shared with another shard. What a TCP connection has to
// show before it is a stream is seen to by a second thread, the entrance's.
class Shard {
 public:
  // What a shard has to do with the others; the references outlive it.
  struct Common {
    SharedState& shared;
    const turn::RelayDirectory& directory;
    turn::ShardNumber number;  // of this one
    // By number; each outlives the others' run().
    std::function<Shard&(turn::ShardNumber)> others;
    config::Poller poller = config::Poller::automatic;
  };

  // `ports` is this shard's own slice of the relay ports. Throws what make_poller() does.
  Shard(const turn::Options& options, PortRange ports, Common common);

  // Before run(). The kernel keeps a five-tuple on its shard only while the group of
  // listeners stays as it is, so every shard gets all of its own before any serves.
  void add_listener(UdpSocket socket, Transport transport);
  void add_listener(ListeningSocket socket, Transport transport);
  void use(StreamSettings settings);

  // How it waits, for the log.
  std::string_view poller() const { return poller_->name(); }

  // Each serves on a thread of its own until stop().
  void run();
  void run_entrance() { entrance_.run(); }

  // From any thread; each takes effect between two rounds.
  void reconfigure(turn::Options options, StreamSettings settings);
  // Relays are opened on the options' addresses from now on; `directory` knows them too.
  void readdress(turn::Options options, turn::RelayDirectory directory);
  // A client whose request only this shard can see to, with that request.
  void take_over(Arrival arrival);
  void take_over(DtlsArrival arrival);
  // No new calls; calls `drained` on this shard's thread once the last one has ended.
  void drain(std::function<void()> drained);
  // Ends what is left and returns from run() and run_entrance().
  void stop();
  // Both threads have their turn before `answer` is called on one of them.
  void snapshot(std::function<void(const ShardSnapshot&)> answer);

 private:
  // From a stream's or association's arrival to its first whole message.
  static constexpr std::chrono::seconds opening_time{10};
  // Without an allocation it may be silent for so long.
  static constexpr std::chrono::seconds idle_time{60};

  struct Listener {
    UdpSocket socket;
    Transport transport;
  };

  // A round: read, decide, send, carry out (ARCHITECTURE.md).
  void serve_round();
  void visit(const Poller::Event& event, Now now);
  void visit_listener(const Poller::Event& event, Now now);
  void visit_relay(const Poller::Event& event, Now now);
  std::span<const Received> receive(UdpSocket& socket, const Poller::Event& event,
                                    std::size_t limit);
  void look_after(turn::SocketRef ref, UdpSocket& socket, Now now);
  void look_after_listed(Now now);
  void list(turn::SocketRef ref, UdpSocket& socket);
  UdpSocket* udp_socket(turn::SocketRef ref);
  void reconfigure(const turn::Options& options);
  void visit_stream(const Poller::Event& event, Now now);
  void take_messages(StreamClient& client, Bytes received, Now now);
  void take_dtls(const turn::ClientPath& path, MutableBytes datagram, Now now);
  bool passes_on(const DtlsClients::Origin& origin, Bytes datagram);
  void decrypt(DtlsClient& client, MutableBytes datagram, Now now);
  void encrypt(const turn::Send& send);
  void on_handshake(DtlsHandshakes::News news);
  void end_association(turn::SocketRef ref, Now now);
  void close_associations(Now now);
  void move_association(const turn::MoveClient& command);
  bool moves(turn::SocketRef client) const;
  std::optional<Bytes> taken_along(turn::SocketRef stream, Bytes received, std::size_t consumed);
  void visit_tcp_relay(const Poller::Event& event, Now now);
  void wake_resting_relays();
  void hold_back(turn::ConnectionId id, DataConnection& data, Now now);
  void wake_rested_data(Now now);
  void visit_connection(const Poller::Event& event, Now now);
  void end_connection(turn::ConnectionId id);
  void close_connection(turn::ConnectionId id);
  void serve_mailbox();
  void take(const turn::Handover& handover, Now now);
  void take(const turn::Forward& forward, Now now);
  void make_room();
  // Sends first, then the commands, whose outcomes may be sends and commands again. The last
  // sends are posted alone, and nothing may be decided before finish_sends().
  void decide(Now now);
  // The same, but nothing is left posted.
  void settle(Now now);
  void post_sends();
  void submit_sends();
  void finish_sends();
  void flush_sends();
  void flush_letters();
  template <class Letter>
  void post_letter(const Letter& letter);
  void flush_streams();
  void send_to_stream(const turn::Send& send);
  void count_round(SteadyTime begin);
  void drop(turn::Drop reason) { ++engine_.counters().drops[static_cast<std::size_t>(reason)]; }

  void carry_out(const turn::OpenRelay& command, Now now);
  void carry_out(const turn::OpenReserved& command, Now now);
  void carry_out(const turn::CloseRelay& command, Now now);
  void carry_out(const turn::CloseReserved& command, Now now);
  void carry_out(const turn::ConnectPeer& command, Now now);
  void carry_out(const turn::CancelConnect& command, Now now);
  void carry_out(const turn::BindPeer& command, Now now);
  void carry_out(const turn::ClosePeer& command, Now now);
  void carry_out(const turn::MoveClient& command, Now now);
  void carry_out(const turn::Notice& command, Now now);

  void tick(Now now);
  void close_overdue(Now now);
  void tell_of_floods(SteadyTime now);

  void on_arrival(Arrival arrival);
  void on_arrival(DtlsArrival arrival);
  void end_client(turn::SocketRef ref, Now now);
  void end_stream(turn::SocketRef ref, Now now);

  SystemRandom random_;
  ConnectionLimit& connections_;
  Mailboxes& mailboxes_;
  Mailbox& mailbox_;
  turn::Roaming& roaming_;
  turn::ShardNumber number_;
  std::function<Shard&(turn::ShardNumber)> others_;
  turn::Engine engine_;
  turn::Outbox outbox_;
  Meters meters_;
  DatagramPool pool_;
  std::unique_ptr<Poller> poller_;
  TaskQueue tasks_{[this] { poller_->ring(); }};
  Sender sender_{engine_.counters(), *poller_};
  std::vector<Listener> listeners_;
  RelaySockets relays_;
  StreamClients streams_{*poller_};
  PeerConnections peers_{*poller_};
  std::vector<turn::RelayId> resting_;  // relays for TCP that wait for a descriptor
  // Data connections that have carried all they may for the moment, that way.
  struct Rest {
    SteadyTime until;
    turn::ConnectionId id;
    turn::Way way;
  };
  std::vector<Rest> rests_;
  Received arrived_;                     // what the poller had received
  std::vector<turn::SocketRef> listed_;  // UDP sockets to look after, each once
  std::vector<turn::SocketRef> looked_after_;
  std::vector<turn::SocketRef> writing_;  // streams that got something this flush
  std::vector<turn::SocketRef> ending_;   // to end once the sends are out
  Entrance entrance_;
  DtlsClients associations_;
  DtlsOutbox encrypted_;
  std::vector<std::byte> plain_;  // what is being encrypted
  SteadyTime next_tick_;
  std::uint64_t held_back_ = 0;  // answers, when the log was told last
  SteadyTime next_flood_news_{};
  bool stopped_ = false;
  std::function<void()> drained_;
};

}  // namespace yuelao::server

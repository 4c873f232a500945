#include "server/shard.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include <boost/asio/post.hpp>

#include "protocol/turn/stream_framing.hpp"
#include "server/log.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
using turn::Drop;
using turn::SocketRef;
using namespace std::chrono_literals;

// What one socket may take of a round before the others have had theirs.
constexpr std::size_t listener_visit = 64;
constexpr std::size_t relay_visit = 8;

// A round that brings so many datagrams is hardly the last one: the next begins at once,
// without a way through Asio, but timers and streams have their turn after a few.
constexpr std::size_t busy_round = 16;
constexpr int rounds_in_a_row = 8;

constexpr auto tick_interval = 1s;
// From a stream's arrival to its first whole message.
constexpr auto opening_time = 10s;
// A stream without an allocation, and one that was said goodbye to.
constexpr auto idle_time = 60s;
constexpr auto goodbye_time = 5s;

Now read_clock() {
  return {std::chrono::steady_clock::now(),
          std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())};
}

}  // namespace

Shard::Shard(const turn::Options& options, PortRange ports, Common common)
    : connections_{common.connections},
      mailboxes_{common.mailboxes},
      mailbox_{common.mailboxes.of(common.turn.shard)},
      engine_{options, common.turn, random_},
      relays_{options.relay_addresses,
              ports,
              {poller_, random_, common.reservations, common.turn.shard}} {
  mailbox_.on_first([this] { asio::post(context_, [this] { serve_mailbox(); }); });
}

void Shard::add_listener(UdpSocket socket) {
  const auto ref = SocketRef::listener(static_cast<std::uint32_t>(listeners_.size()));
  if (const auto error = poller_.add(socket, ref)) throw std::system_error{error, "epoll_ctl"};
  listeners_.push_back(std::move(socket));
}

void Shard::add_listener(ListeningSocket socket, Transport transport) {
  stream_listeners_.push_back(std::make_unique<StreamListener>(
      context_, std::move(socket), meters_, [this, transport](asio::ip::tcp::socket accepted) {
        entrance_.accept(std::move(accepted), transport);
      }));
}

void Shard::run() {
  for (const auto& listener : stream_listeners_) listener->start();
  tick_.expires_after(tick_interval);
  wait_for_tick();
  wait_for_datagrams();
  context_.run();
}

void Shard::reconfigure(turn::Options options, StreamSettings settings) {
  asio::post(context_,
             [this, options = std::move(options), settings = std::move(settings)]() mutable {
               engine_.reconfigure(options);
               entrance_.use(std::move(settings));
             });
}

void Shard::readdress(turn::Options options, turn::RelayDirectory directory) {
  asio::post(context_,
             [this, options = std::move(options), directory = std::move(directory)]() mutable {
               relays_.follow(options.relay_addresses);
               engine_.readdress(std::move(directory));
               engine_.reconfigure(options);
             });
}

void Shard::drain(std::function<void()> drained) {
  asio::post(context_, [this, drained = std::move(drained)]() mutable {
    engine_.drain();
    for (const auto& listener : stream_listeners_) listener->close();
    drained_ = std::move(drained);
    settle(read_clock());
  });
}

void Shard::stop() {
  asio::post(context_, [this] {
    const Now now = read_clock();
    engine_.close_all(now, outbox_);
    settle(now);
    entrance_.close();
    context_.stop();
  });
}

void Shard::snapshot(std::function<void(const ShardSnapshot&)> answer) {
  asio::post(context_, [this, answer = std::move(answer)] {
    meters_.connections_open = streams_.size() + entrance_.size();
    answer({engine_.counters(), engine_.gauges(read_clock()), meters_});
  });
}

void Shard::wait_for_datagrams() {
  poller_.async_wait([this](Error error) {
    if (!error) serve_datagrams();
  });
}

void Shard::serve_datagrams() {
  int rounds = 1;
  while (serve_round() >= busy_round && rounds < rounds_in_a_row) ++rounds;
  wait_for_datagrams();
}

std::size_t Shard::serve_round() {
  const Now now = read_clock();
  std::size_t received = 0;
  for (const SocketRef ref : poller_.ready()) received += visit(ref, now);
  settle(now);
  pool_.reset();
  count_round(now.steady);
  return received;
}

std::size_t Shard::visit(SocketRef ref, Now now) {
  // Between two visits nothing received is undecided, so what is sent frees the pool.
  if (pool_.free() < listener_visit) {
    flush_sends();
    pool_.reset();
  }
  return ref.kind == SocketRef::Kind::relay ? visit_relay(ref, now) : visit_listener(ref, now);
}

std::size_t Shard::visit_listener(SocketRef ref, Now now) {
  UdpSocket& socket = listeners_[ref.index];
  turn::ClientPath path{ref, {Transport::udp, {}, socket.local()}};
  const auto arrived = socket.receive(pool_, listener_visit);
  for (const Received& received : arrived) {
    path.tuple.client = received.from;
    if (socket.wildcard()) path.tuple.server.address = received.to;
    received.for_each_datagram([&](Bytes datagram) {
      make_room();
      engine_.on_client_message(path, datagram, now, outbox_);
    });
  }
  meters_.receive_overflows += socket.take_overflows();
  return arrived.size();
}

std::size_t Shard::visit_relay(SocketRef ref, Now now) {
  const turn::RelayId id{ref.index, ref.generation};
  UdpSocket* const socket = relays_.find(id);
  if (socket == nullptr) return 0;
  const auto arrived = socket->receive(pool_, relay_visit);
  for (const Received& received : arrived) {
    received.for_each_datagram([&](Bytes datagram) {
      make_room();
      engine_.on_peer_datagram(id, received.from, datagram, now, outbox_);
    });
  }
  meters_.receive_overflows += socket->take_overflows();
  if (socket->errors_waiting()) report_errors(id, *socket, now);
  return arrived.size();
}

void Shard::report_errors(turn::RelayId relay, UdpSocket& socket, Now now) {
  const auto errors = socket.take_errors();
  for (const auto& error : errors.list()) {
    make_room();
    engine_.on_peer_error(relay, error, now, outbox_);
  }
}

void Shard::serve_mailbox() {
  const Now now = read_clock();
  mailbox_.take([&](const turn::Handover& handover) {
    make_room();
    engine_.on_handover(handover, now, outbox_);
  });
  settle(now);
  count_round(now.steady);
}

void Shard::make_room() {
  if (!outbox_.has_room()) flush_sends();
}

// Sends first, then the commands, whose outcomes may be sends and commands again.
void Shard::settle(Now now) {
  flush_sends();
  while (!outbox_.commands().empty() || !overflowed_.empty()) {
    for (const auto& command : outbox_.take_commands()) {
      std::visit([&](const auto& known) { carry_out(known, now); }, command);
    }
    for (const SocketRef ref : std::exchange(overflowed_, {})) end_stream(ref, now);
    flush_sends();
  }
  if (drained_ && engine_.allocation_count() == 0) std::exchange(drained_, nullptr)();
}

void Shard::flush_sends() {
  for (const turn::Send& send : outbox_.sends()) {
    if (send.from.kind == SocketRef::Kind::stream) {
      send_to_stream(send);
    } else if (send.from.kind == SocketRef::Kind::listener) {
      sender_.add(listeners_[send.from.index], send);
    } else if (auto* const relay = relays_.find({send.from.index, send.from.generation})) {
      sender_.add(*relay, send);
    }
  }
  sender_.flush();
  flush_handovers();
  for (const SocketRef ref : writing_) {
    if (auto* const client = streams_.find(ref)) client->write();
  }
  writing_.clear();
  outbox_.clear_sends();
}

// A full mailbox drops, as a full socket does.
void Shard::flush_handovers() {
  for (const turn::Handover& handover : outbox_.handovers()) {
    if (mailboxes_.of(handover.shard).post(handover) == Mailbox::Posted::full) {
      ++engine_.counters().drops[static_cast<std::size_t>(Drop::send_queue_full)];
    }
  }
}

void Shard::send_to_stream(const turn::Send& send) {
  auto* const client = streams_.find(send.from);
  if (client == nullptr) return;
  switch (client->queue(send)) {
    case StreamClient::Queued::queued:
      if (writing_.empty() || writing_.back() != send.from) writing_.push_back(send.from);
      return;
    case StreamClient::Queued::overflowed:
      overflowed_.push_back(send.from);
      [[fallthrough]];
    case StreamClient::Queued::dropped:
      ++engine_.counters().drops[static_cast<std::size_t>(Drop::send_queue_full)];
      return;
  }
}

void Shard::count_round(SteadyTime begin) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const auto* const bucket = std::ranges::lower_bound(round_bounds, took.count());
  ++meters_.rounds[static_cast<std::size_t>(bucket - round_bounds.begin())];
  meters_.round_seconds += took.count();
}

void Shard::carry_out(const turn::OpenRelay& command, Now now) {
  make_room();
  const auto bound = command.reserve_next
                         ? relays_.open_pair(command.id, command.family, *command.reserve_next)
                         : relays_.open(command.id, command.family, command.parity);
  engine_.on_relay_opened(command.id, bound, now, outbox_);
}

void Shard::carry_out(const turn::OpenReserved& command, Now now) {
  make_room();
  engine_.on_relay_opened(command.id, relays_.open_reserved(command.id, command.token), now,
                          outbox_);
}

void Shard::carry_out(const turn::CloseReserved& command, Now) {
  relays_.close_reserved(command.token);
}

void Shard::carry_out(const turn::CloseRelay& command, Now) { relays_.close(command.id); }

void Shard::carry_out(const turn::CloseClient& command, Now now) {
  auto* const client = streams_.find(command.stream);
  if (client == nullptr) return;
  client->deadline = now.steady + goodbye_time;
  client->finish();
}

void Shard::carry_out(const turn::Notice& command, Now) { log_session(command); }

void Shard::wait_for_tick() {
  tick_.async_wait([this](Error error) {
    if (error) return;
    tick();
    tick_.expires_after(tick_interval);
    wait_for_tick();
  });
}

void Shard::tick() {
  const Now now = read_clock();
  engine_.advance(now, outbox_);
  close_overdue_streams(now);
  entrance_.close_overdue(now.steady);
  settle(now);
}

void Shard::close_overdue_streams(Now now) {
  std::vector<SocketRef> overdue;
  streams_.for_each([&](StreamClient& client) {
    if (now.steady < client.deadline) return;
    if (!client.finishing() && engine_.has_allocation(client.path())) {
      client.deadline = now.steady + idle_time;
    } else {
      overdue.push_back(client.path().socket);
    }
  });
  for (const SocketRef ref : overdue) end_stream(ref, now);
}

void Shard::on_arrival(Arrival arrival) {
  StreamClient& client = streams_.add(std::move(arrival));
  client.deadline = read_clock().steady + opening_time;
  client.start();
}

void Shard::on_received(StreamClient& client) {
  const Now now = read_clock();
  while (true) {
    const auto frame = turn::next_frame(client.received(), StreamClient::message_limit);
    if (!frame) {
      const bool too_long = frame.error() == turn::FramingError::too_long;
      const auto reason = too_long ? Drop::too_large : Drop::malformed;
      ++engine_.counters().drops[static_cast<std::size_t>(reason)];
      end_stream(client.path().socket, now);
      break;
    }
    if (frame->message.empty()) break;
    client.deadline = now.steady + idle_time;
    make_room();
    engine_.on_client_message(client.path(), frame->message, now, outbox_);
    client.consume(frame->consumed);
  }
  settle(now);
  count_round(now.steady);
}

void Shard::on_ended(StreamClient& client) {
  const Now now = read_clock();
  end_stream(client.path().socket, now);
  settle(now);
}

void Shard::end_stream(SocketRef ref, Now now) {
  auto* const client = streams_.find(ref);
  if (client == nullptr) return;
  make_room();
  engine_.on_client_closed(client->path(), now, outbox_);
  streams_.remove(ref);
  connections_.release();
}

}  // namespace yuelao::server

#include "server/shard.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "server/clock.hpp"
#include "server/log.hpp"

namespace yuelao::server {
namespace {

using turn::Drop;
using turn::SocketRef;
using namespace std::chrono_literals;

constexpr auto tick_interval = 1s;

constexpr auto flood_news_interval = 1min;

// A shard that has nothing to do wakes up this often to see what has expired.
std::chrono::milliseconds until(SteadyTime time, SteadyTime now) {
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(time - now), 0ms);
}

}  // namespace

Shard::Shard(const turn::Options& options, PortRange ports, Common common)
    : connections_{common.shared.connections},
      mailboxes_{common.shared.mailboxes},
      mailbox_{common.shared.mailboxes.of(common.number)},
      roaming_{common.shared.roaming},
      number_{common.number},
      others_{std::move(common.others)},
      engine_{options, common.shared.of(common.number, common.directory), random_},
      poller_{make_poller(common.poller)},
      relays_{options.relay_addresses,
              ports,
              {*poller_, random_, common.shared.reservations, common.number}},
      entrance_{connections_,
                [this](Arrival arrival) {
                  tasks_.post([this, arrival = std::move(arrival)]() mutable {
                    on_arrival(std::move(arrival));
                  });
                },
                [this](DtlsHandshakes::News news) {
                  tasks_.post(
                      [this, news = std::move(news)]() mutable { on_handshake(std::move(news)); });
                }},
      associations_{{entrance_.handshakes(), connections_, random_, engine_.counters(), meters_}} {
  mailbox_.on_first([this] { tasks_.post([this] { serve_mailbox(); }); });
}

void Shard::use(StreamSettings settings) {
  tasks_.post([this, tls = settings.tls] { associations_.use(tls); });
  entrance_.use(std::move(settings));
}

void Shard::add_listener(UdpSocket socket, Transport transport) {
  const auto ref = SocketRef::listener(static_cast<std::uint32_t>(listeners_.size()));
  if (const auto error = poller_->add(socket.descriptor(), ref)) {
    throw std::system_error{error, "epoll_ctl"};
  }
  engine_.add_listener(transport, ref, socket.local());
  listeners_.push_back({std::move(socket), transport});
}

void Shard::add_listener(ListeningSocket socket, Transport transport) {
  engine_.add_listener(transport, {}, socket.local);
  entrance_.add_listener(std::move(socket), transport);
}

void Shard::run() {
  next_tick_ = std::chrono::steady_clock::now() + tick_interval;
  poller_->begin();
  while (!stopped_) serve_round();
  poller_->end();
}

void Shard::serve_round() {
  const auto time = std::chrono::steady_clock::now();
  auto wakes = next_tick_;
  for (const auto& rest : rests_) wakes = std::min(wakes, rest.until);
  const auto events = poller_->wait(listed_.empty() ? until(wakes, time) : 0ms);
  // The last round's sends are out.
  finish_sends();
  poller_->release();
  pool_.reset();

  if (poller_->rung()) tasks_.run();
  const Now now = read_clock();
  if (now.steady >= next_tick_) tick(now);
  wake_rested_data(now);
  look_after_listed(now);
  for (const Poller::Event& event : events) visit(event, now);
  decide(now);
  count_round(now.steady);
}

void Shard::reconfigure(turn::Options options, StreamSettings settings) {
  use(std::move(settings));
  tasks_.post([this, options = std::move(options)] { reconfigure(options); });
}

void Shard::readdress(turn::Options options, turn::RelayDirectory directory) {
  tasks_.post([this, options = std::move(options), directory = std::move(directory)]() mutable {
    relays_.follow(options.relay_addresses);
    engine_.readdress(std::move(directory));
    reconfigure(options);
  });
}

void Shard::reconfigure(const turn::Options& options) {
  engine_.reconfigure(options, outbox_);
  settle(read_clock());
}

void Shard::drain(std::function<void()> drained) {
  entrance_.stop_listening();
  tasks_.post([this, drained = std::move(drained)]() mutable {
    engine_.drain();
    drained_ = std::move(drained);
    settle(read_clock());
  });
}

void Shard::stop() {
  entrance_.stop();
  tasks_.post([this] {
    const Now now = read_clock();
    engine_.close_all(now, outbox_);
    close_associations(now);
    settle(now);
    stopped_ = true;
  });
}

void Shard::snapshot(std::function<void(const ShardSnapshot&)> answer) {
  entrance_.meters([this, answer = std::move(answer)](const EntranceMeters& seen) mutable {
    tasks_.post([this, seen, answer = std::move(answer)] {
      static_cast<EntranceMeters&>(meters_) = seen;
      meters_.connections_open += streams_.size() + associations_.size() + peers_.bound_count();
      answer({engine_.counters(), engine_.gauges(read_clock()), meters_});
    });
  });
}

void Shard::serve_mailbox() {
  const Now now = read_clock();
  mailbox_.take([&](const auto& letter) {
    make_room();
    take(letter, now);
  });
  settle(now);
  count_round(now.steady);
}

void Shard::take(const turn::Handover& handover, Now now) {
  engine_.on_handover(handover, now, outbox_);
}

void Shard::take(const turn::Forward& forward, Now now) {
  if (forward.path.tuple.transport != Transport::dtls) {
    return engine_.on_forward(forward, now, outbox_);
  }
  if (pool_.free() == 0) {
    flush_sends();
    pool_.reset();
  }
  const auto slot = pool_.take_slot();
  std::ranges::copy(forward.payload, slot.begin());
  take_dtls(forward.path, slot.first(forward.payload.size()), now);
}

void Shard::make_room() {
  if (!outbox_.has_room() || !encrypted_.has_room()) flush_sends();
}

void Shard::decide(Now now) {
  post_sends();
  while (!outbox_.commands().empty() || !ending_.empty()) {
    finish_sends();
    for (const auto& command : outbox_.take_commands()) {
      std::visit([&](const auto& known) { carry_out(known, now); }, command);
    }
    for (const SocketRef ref : std::exchange(ending_, {})) end_client(ref, now);
    post_sends();
  }
  if (drained_ && engine_.allocation_count() == 0) std::exchange(drained_, nullptr)();
}

void Shard::settle(Now now) {
  decide(now);
  finish_sends();
}

// From here until finish_sends() the outbox, and all that its sends view, stays as it is: the
// poller may submit them only with its next call.
void Shard::post_sends() {
  for (const turn::Send& send : outbox_.sends()) {
    if (send.from.kind == SocketRef::Kind::stream) {
      send_to_stream(send);
    } else if (send.from.kind == SocketRef::Kind::association) {
      encrypt(send);
    } else if (UdpSocket* const socket = udp_socket(send.from)) {
      sender_.add(*socket, send);
    }
  }
  for (const turn::Send& send : encrypted_.sends()) {
    if (sender_.full()) {
      sender_.post();
      submit_sends();
    }
    sender_.add(listeners_[send.from.index].socket, send);
  }
  sender_.post();
  flush_letters();
  flush_streams();
}

// Does nothing where nothing was posted, and calls nobody where it was submitted already.
void Shard::submit_sends() {
  poller_->submit();
  sender_.finish();
  for (const SocketRef ref : sender_.take_failing()) {
    if (UdpSocket* const socket = udp_socket(ref)) list(ref, *socket);
  }
}

void Shard::finish_sends() {
  submit_sends();
  outbox_.clear_sends();
  encrypted_.clear();
}

void Shard::flush_sends() {
  post_sends();
  finish_sends();
}

void Shard::flush_streams() {
  for (const SocketRef ref : writing_) {
    auto* const client = streams_.find(ref);
    if (client != nullptr && !client->write()) ending_.push_back(ref);
  }
  writing_.clear();
}

// A full mailbox drops, as a full socket does.
template <class Letter>
void Shard::post_letter(const Letter& letter) {
  if (mailboxes_.of(letter.shard).post(letter) == Mailbox::Posted::full) {
    drop(Drop::send_queue_full);
  }
}

void Shard::flush_letters() {
  for (const turn::Handover& handover : outbox_.handovers()) post_letter(handover);
  for (const turn::Forward& forward : outbox_.forwards()) post_letter(forward);
}

void Shard::send_to_stream(const turn::Send& send) {
  auto* const client = streams_.find(send.from);
  if (client == nullptr) return;
  switch (client->queue(send)) {
    case StreamClient::Queued::queued:
      if (writing_.empty() || writing_.back() != send.from) writing_.push_back(send.from);
      return;
    case StreamClient::Queued::overflowed:
      ending_.push_back(send.from);
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
  const bool tcp = command.transport == turn::RelayTransport::tcp;
  const auto bound = tcp ? relays_.open_tcp(command.id, command.family)
                     : command.reserve_next
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

void Shard::carry_out(const turn::Notice& command, Now) { log_session(command); }

void Shard::tick(Now now) {
  next_tick_ = now.steady + tick_interval;
  engine_.advance(now, outbox_);
  close_overdue(now);
  tell_of_floods(now.steady);
  associations_.advance(now.steady);
  for (const auto id : peers_.overdue(now)) end_connection(id);
  wake_resting_relays();
  settle(now);
}

// Once a minute, whatever comes.
void Shard::tell_of_floods(SteadyTime now) {
  const auto held = engine_.counters().drops[static_cast<std::size_t>(Drop::response_budget)];
  if (held == held_back_ || now < next_flood_news_) return;
  log_warning("answers to strangers were held back, see `bandwidth.strangers`",
              {{"count", held - held_back_}});
  held_back_ = held;
  next_flood_news_ = now + flood_news_interval;
}

void Shard::close_overdue(Now now) {
  std::vector<SocketRef> overdue;
  const auto judge = [&](SteadyTime& deadline, const turn::ClientPath& path) {
    if (now.steady < deadline) return;
    if (engine_.has_allocation(path)) {
      deadline = now.steady + idle_time;
    } else {
      overdue.push_back(path.socket);
    }
  };
  streams_.for_each([&](StreamClient& client) { judge(client.deadline, client.path()); });
  associations_.for_each([&](DtlsClient& client) {
    if (client.session) judge(client.deadline, client.path);
  });
  for (const SocketRef ref : overdue) end_client(ref, now);
}

void Shard::end_client(SocketRef ref, Now now) {
  if (ref.kind == SocketRef::Kind::association) return end_association(ref, now);
  end_stream(ref, now);
}

void Shard::on_arrival(Arrival arrival) {
  const Now now = read_clock();
  const auto received = std::move(arrival.received);
  const auto client = streams_.add(std::move(arrival));
  if (!client) return;
  (*client)->deadline = now.steady + opening_time;
  // What another shard had for it.
  if (!(*client)->write()) return end_stream((*client)->path().socket, now);
  take_messages(**client, received, now);
  settle(now);
}

void Shard::end_stream(SocketRef ref, Now now) {
  auto* const client = streams_.find(ref);
  if (client == nullptr) return;
  make_room();
  engine_.on_client_closed(client->path(), now, outbox_);
  streams_.remove(ref);
}

}  // namespace yuelao::server

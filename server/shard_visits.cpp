// What a shard does with each socket that has something for it.
#include <utility>

#include "protocol/edge/dtls_record.hpp"
#include "protocol/turn/stream_framing.hpp"
#include "server/shard.hpp"

namespace yuelao::server {
namespace {

using turn::Drop;
using turn::SocketRef;

// What one socket may take of a round before the others have had theirs.
constexpr std::size_t listener_visit = 64;
constexpr std::size_t relay_visit = 8;

}  // namespace

void Shard::visit(const Poller::Event& event, Now now) {
  // Between two visits nothing received is undecided, so what is sent frees the pool.
  if (pool_.free() < listener_visit) {
    flush_sends();
    pool_.reset();
  }
  switch (event.ref.kind) {
    case SocketRef::Kind::listener:
      return visit_listener(event, now);
    case SocketRef::Kind::relay:
      return visit_relay(event, now);
    case SocketRef::Kind::stream:
      return visit_stream(event, now);
    case SocketRef::Kind::association:
      return;  // has no socket of its own
    case SocketRef::Kind::tcp_relay:
      return visit_tcp_relay(event, now);
    case SocketRef::Kind::peer:
    case SocketRef::Kind::client_data:
      return visit_connection(event, now);
  }
}

void Shard::visit_listener(const Poller::Event& event, Now now) {
  auto& [socket, transport] = listeners_[event.ref.index];
  turn::ClientPath path{event.ref, {Transport::udp, {}, socket.local()}};
  for (const Received& received : receive(socket, event, listener_visit)) {
    path.tuple.client = received.from;
    if (socket.wildcard()) path.tuple.server.address = received.to;
    received.for_each_datagram([&](MutableBytes datagram) {
      // RFC 7983 §7: DTLS is known by its first octet. The engine tells the rest apart.
      const bool dtls = !datagram.empty() && edge::is_dtls(datagram[0]);
      if (dtls && associations_.open()) return take_dtls(path, datagram, now);
      if (transport == Transport::dtls) return drop(Drop::malformed);
      make_room();
      engine_.on_client_message(path, datagram, now, outbox_);
    });
  }
  meters_.receive_overflows += socket.take_overflows();
  if (event.disarmed) look_after(event.ref, socket, now);
}

void Shard::visit_relay(const Poller::Event& event, Now now) {
  const turn::RelayId id{event.ref.index, event.ref.generation};
  UdpSocket* const socket = relays_.find(id);
  if (socket == nullptr) return;
  for (const Received& received : receive(*socket, event, relay_visit)) {
    received.for_each_datagram([&](Bytes datagram) {
      make_room();
      engine_.on_peer_datagram(id, received.from, datagram, now, outbox_);
    });
  }
  meters_.receive_overflows += socket->take_overflows();
  if (event.disarmed || socket->errors_waiting()) look_after(event.ref, *socket, now);
}

std::span<const Received> Shard::receive(UdpSocket& socket, const Poller::Event& event,
                                         std::size_t limit) {
  if (event.failed) socket.note_error();
  if (event.disarmed) socket.disarmed = true;
  if (event.message == nullptr) return socket.receive_likely(pool_, limit);
  arrived_ = socket.read(*event.message);
  return {&arrived_, 1};
}

// Takes a few of the errors that wait on it; when there are no more the poller may go on.
void Shard::look_after(SocketRef ref, UdpSocket& socket, Now now) {
  if (socket.errors_waiting()) {
    const auto errors = socket.take_errors();
    for (const auto& error : errors.list()) {
      make_room();
      engine_.on_peer_error({ref.index, ref.generation}, error, now, outbox_);
    }
  }
  if (socket.errors_waiting()) return list(ref, socket);
  if (std::exchange(socket.disarmed, false)) poller_->rearm(socket.descriptor(), ref);
}

// A socket's turn comes in the next round.
void Shard::list(SocketRef ref, UdpSocket& socket) {
  if (!std::exchange(socket.listed, true)) listed_.push_back(ref);
}

void Shard::look_after_listed(Now now) {
  looked_after_.swap(listed_);
  for (const SocketRef ref : looked_after_) {
    UdpSocket* const socket = udp_socket(ref);
    if (socket == nullptr) continue;
    socket->listed = false;
    look_after(ref, *socket, now);
  }
  looked_after_.clear();
}

// Null when it is a relay that is closed.
UdpSocket* Shard::udp_socket(SocketRef ref) {
  if (ref.kind == SocketRef::Kind::listener) return &listeners_[ref.index].socket;
  return relays_.find({ref.index, ref.generation});
}

void Shard::visit_stream(const Poller::Event& event, Now now) {
  auto* const client = streams_.find(event.ref);
  if (client == nullptr) return;
  if (event.writable && !client->write()) return end_stream(event.ref, now);
  if (!event.readable) return;
  const auto received = client->receive(pool_.take_slot().first(StreamClient::room_bytes));
  if (!received) return end_stream(event.ref, now);
  take_messages(*client, *received, now);
}

void Shard::take_messages(StreamClient& client, Bytes received, Now now) {
  const auto ref = client.path().socket;
  while (true) {
    const auto frame = turn::next_frame(received, StreamClient::message_limit);
    if (!frame) {
      const bool too_long = frame.error() == turn::FramingError::too_long;
      const auto reason = too_long ? Drop::too_large : Drop::malformed;
      ++engine_.counters().drops[static_cast<std::size_t>(reason)];
      return end_stream(ref, now);
    }
    if (frame->message.empty()) return client.keep(received);
    client.deadline = now.steady + idle_time;
    make_room();
    engine_.on_client_message(client.path(), frame->message, now, outbox_);
    if (const auto rest = taken_along(ref, received, frame->consumed)) return client.keep(*rest);
    received = received.subspan(frame->consumed);
  }
}

}  // namespace yuelao::server

// What a shard does with DTLS: datagrams from it, messages to it, and its associations' ends.
#include <utility>

#include "server/clock.hpp"
#include "server/shard.hpp"

namespace yuelao::server {
namespace {

using turn::Drop;
using turn::SocketRef;

}  // namespace

void Shard::take_dtls(const turn::ClientPath& path, MutableBytes datagram, Now now) {
  make_room();
  DtlsClients::Origin origin{path.socket, path.tuple};
  origin.tuple.transport = Transport::dtls;
  if (passes_on(origin, datagram)) return;
  auto* const client = associations_.receive(origin, datagram, encrypted_);
  if (client != nullptr) decrypt(*client, datagram, now);
}

// A datagram of an association that has moved to another shard (RFC 8016), where it goes. Whoever
// begins anew begins here.
bool Shard::passes_on(const DtlsClients::Origin& origin, Bytes datagram) {
  if (roaming_.size() == 0 || associations_.knows(origin.tuple)) return false;
  if (edge::client_hello_random(datagram)) return false;
  const auto owner = roaming_.find(origin.tuple);
  if (!owner || *owner == number_) return false;
  outbox_.forward({*owner, {origin.listener, origin.tuple}, datagram});
  return true;
}

// In its place: what a record says is shorter than the record, and was copied out of it before.
void Shard::decrypt(DtlsClient& client, MutableBytes datagram, Now now) {
  client.busy = true;
  client.session->give(datagram);
  while (true) {
    make_room();
    const auto size = client.session->read(datagram, encrypted_.datagrams());
    encrypted_.address(client.route());
    if (!size) return ending_.push_back(client.path.socket);
    if (*size == 0) return;
    client.deadline = now.steady + idle_time;
    const auto message = datagram.first(*size);
    const bool moving = !client.taken_along.empty();
    if (!moving) engine_.on_client_message(client.path, message, now, outbox_);
    if (moving || moves(client.path.socket)) {
      client.taken_along.emplace_back(message.begin(), message.end());
    }
    datagram = datagram.subspan(*size);
  }
}

void Shard::encrypt(const turn::Send& send) {
  auto* const client = associations_.find(send.from);
  if (client == nullptr) return;
  plain_.assign(send.prefix.begin(), send.prefix.end());
  plain_.insert(plain_.end(), send.payload.begin(), send.payload.end());
  plain_.resize(plain_.size() + send.padding);
  if (plain_.size() > DtlsSession::message_limit) return drop(Drop::too_large);
  client->busy = true;
  if (!client->session->write(plain_, encrypted_.datagrams())) {
    drop(Drop::send_failed);
    return ending_.push_back(send.from);
  }
  encrypted_.address(client->route());
}

void Shard::on_handshake(DtlsHandshakes::News news) {
  const Now now = read_clock();
  make_room();
  const auto change = associations_.on_news(std::move(news), encrypted_);
  if (change.ended) engine_.on_client_closed(*change.ended, now, outbox_);
  if (change.begun != nullptr) change.begun->deadline = now.steady + opening_time;
  settle(now);
}

void Shard::move_association(const turn::MoveClient& command) {
  auto* const client = associations_.find(command.client);
  if (client == nullptr) return;
  auto arrival = associations_.depart(*client);
  roaming_.set(arrival.tuple, command.shard);
  others_(command.shard).take_over(std::move(arrival));
}

void Shard::take_over(DtlsArrival arrival) {
  tasks_.post([this, arrival = std::move(arrival)]() mutable { on_arrival(std::move(arrival)); });
}

void Shard::on_arrival(DtlsArrival arrival) {
  const Now now = read_clock();
  make_room();
  const auto messages = std::move(arrival.messages);
  const auto change = associations_.adopt(std::move(arrival));
  if (change.ended) engine_.on_client_closed(*change.ended, now, outbox_);
  change.begun->deadline = now.steady + idle_time;
  for (const auto& message : messages) {
    make_room();
    engine_.on_client_message(change.begun->path, message, now, outbox_);
  }
  settle(now);
}

void Shard::end_association(SocketRef ref, Now now) {
  auto* const client = associations_.find(ref);
  if (client == nullptr) return;
  if (roaming_.size() > 0) roaming_.remove(client->path.tuple, number_);
  make_room();
  client->session->close(encrypted_.datagrams());
  encrypted_.address(client->route());
  engine_.on_client_closed(client->path, now, outbox_);
  associations_.end(*client);
}

// A client that is told does not wait for answers.
void Shard::close_associations(Now now) {
  std::vector<SocketRef> up;
  associations_.for_each([&](const DtlsClient& client) { up.push_back(client.path.socket); });
  for (const SocketRef ref : up) end_association(ref, now);
}

}  // namespace yuelao::server

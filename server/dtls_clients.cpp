#include "server/dtls_clients.hpp"

#include <new>
#include <utility>

namespace yuelao::server {
namespace {

using edge::DtlsRecord;
using turn::SocketRef;

// Whether a datagram from a client that has an association and begins another is about the new
// one: its keys are agreed on with records of no epoch, and with one that they encrypt.
bool about_handshake(const DtlsRecord& record) {
  return record.epoch == 0 || record.content == DtlsRecord::Content::handshake;
}

// The same ClientHello once more: it was sent twice, or it took a way around.
bool began_with(const DtlsClient& client, const edge::HelloRandom& hello) {
  return (client.coming && client.coming->hello == hello) ||
         (client.session && client.hello == hello);
}

}  // namespace

DtlsClients::DtlsClients(Surroundings surroundings)
    : around_{surroundings}, cookies_{surroundings.random} {}

void DtlsClients::use(std::shared_ptr<TlsContext> context) {
  context_ = std::move(context);
  greeter_ = context_ ? make_session() : nullptr;
}

// Null: no memory, which is one client's loss alone.
std::unique_ptr<DtlsSession> DtlsClients::make_session() const {
  try {
    return std::make_unique<DtlsSession>(context_);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

DtlsClient* DtlsClients::receive(const Origin& origin, Bytes datagram, DtlsOutbox& out) {
  if (const auto random = edge::client_hello_random(datagram)) {
    greet(origin, {datagram, *random, origin.tuple}, out);
    return nullptr;
  }
  auto* const client = client_at(origin.tuple);
  const auto record = edge::first_dtls_record(datagram);
  if (client == nullptr || !record) {
    drop(record ? turn::Drop::no_association : turn::Drop::malformed);
    return nullptr;
  }
  if (client->session && !(client->coming && about_handshake(*record))) return client;
  if (!around_.handshakes.give(client->coming->ref, datagram)) drop(turn::Drop::no_association);
  return nullptr;
}

void DtlsClients::greet(const Origin& origin, const DtlsSession::Hello& hello, DtlsOutbox& out) {
  switch (greeter_->greet(hello, cookies_, out.datagrams())) {
    case DtlsSession::Greeting::nonsense:
      return drop(turn::Drop::malformed);
    case DtlsSession::Greeting::challenged:
      ++around_.meters.dtls_challenges;
      return out.address({origin.listener, origin.tuple.server.address, origin.tuple.client});
    case DtlsSession::Greeting::verified:
      return begin(origin, hello.random);
  }
}

void DtlsClients::begin(const Origin& origin, const edge::HelloRandom& hello) {
  auto* client = client_at(origin.tuple);
  if (client != nullptr && began_with(*client, hello)) return drop(turn::Drop::still_opening);
  auto next_greeter = make_session();
  if (client != nullptr && next_greeter) forget_coming(*client);
  if (client == nullptr && next_greeter) client = admit(origin);
  if (client == nullptr || !next_greeter) {
    ++around_.meters.associations_refused;
    return;
  }
  ++around_.meters.associations_accepted;
  const auto index = by_tuple_.at(origin.tuple);
  client->coming = {SocketRef::association(index, ++slots_[index].generation), hello};
  around_.handshakes.begin(client->coming->ref, std::exchange(greeter_, std::move(next_greeter)));
  const auto crowded_out = coming_.add(index, client->place.prefix());
  if (!crowded_out) return;
  ++around_.meters.associations_crowded_out;
  auto& leaves = *slots_[*crowded_out].client;
  forget_coming(leaves);
  forget_if_nothing(leaves);
}

DtlsClient* DtlsClients::admit(const Origin& origin) {
  auto room = around_.connections.admit(origin.tuple.client.address);
  if (!room) return nullptr;
  auto& client = place(origin);
  client.place = std::move(room);
  return &client;
}

DtlsClient& DtlsClients::place(const Origin& origin) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const auto index = free_.back();
  free_.pop_back();
  by_tuple_.emplace(origin.tuple, index);
  auto& client = slots_[index].client;
  client = std::make_unique<DtlsClient>();
  client->path = {SocketRef::association(index, 0), origin.tuple};
  client->listener = origin.listener;
  return *client;
}

DtlsClients::Change DtlsClients::on_news(DtlsHandshakes::News news, DtlsOutbox& out) {
  Change change;
  auto* const client =
      news.ref.index < slots_.size() ? slots_[news.ref.index].client.get() : nullptr;
  if (client == nullptr || !client->coming || client->coming->ref != news.ref) return change;
  for (std::size_t i = 0; i < news.flight.count(); ++i) out.datagrams().add(news.flight[i]);
  out.address(client->route());
  if (!news.failed && !news.session) return change;
  const auto came = *std::exchange(client->coming, std::nullopt);
  coming_.remove(client->path.socket.index);
  if (news.session) {
    if (client->session) change.ended = client->path;
    client->session = std::move(news.session);
    client->path.socket = came.ref;
    client->hello = came.hello;
    change.begun = client;
  }
  forget_if_nothing(*client);
  return change;
}

DtlsArrival DtlsClients::depart(DtlsClient& client) {
  forget_coming(client);
  DtlsArrival arrival{.tuple = client.path.tuple,
                      .listener = client.listener,
                      .session = std::move(client.session),
                      .hello = client.hello,
                      .messages = std::move(client.taken_along),
                      .place = std::move(client.place)};
  remove(client);
  return arrival;
}

DtlsClients::Change DtlsClients::adopt(DtlsArrival arrival) {
  Change change;
  auto* client = client_at(arrival.tuple);
  if (client == nullptr) {
    client = &place({arrival.listener, arrival.tuple});
    client->place = std::move(arrival.place);
  } else if (client->session) {
    change.ended = client->path;
  }
  const auto index = client->path.socket.index;
  client->path.socket = SocketRef::association(index, ++slots_[index].generation);
  client->session = std::move(arrival.session);
  client->hello = arrival.hello;
  change.begun = client;
  return change;
}

DtlsClient* DtlsClients::client_at(const FiveTuple& tuple) {
  const auto found = by_tuple_.find(tuple);
  return found == by_tuple_.end() ? nullptr : slots_[found->second].client.get();
}

DtlsClient* DtlsClients::find(SocketRef association) {
  if (association.index >= slots_.size()) return nullptr;
  auto* const client = slots_[association.index].client.get();
  const bool is_up = client != nullptr && client->session && client->path.socket == association;
  return is_up ? client : nullptr;
}

void DtlsClients::end(DtlsClient& client) {
  client.session.reset();
  forget_if_nothing(client);
}

void DtlsClients::forget_if_nothing(const DtlsClient& client) {
  if (client.session || client.coming) return;
  remove(client);
}

void DtlsClients::remove(const DtlsClient& client) {
  const auto index = client.path.socket.index;
  by_tuple_.erase(client.path.tuple);
  slots_[index].client.reset();
  free_.push_back(index);
}

void DtlsClients::forget_coming(DtlsClient& client) {
  if (!client.coming) return;
  around_.handshakes.abandon(client.coming->ref);
  client.coming.reset();
  coming_.remove(client.path.socket.index);
}

void DtlsClients::advance(SteadyTime now) {
  cookies_.advance(now);
  for_each([](DtlsClient& client) {
    if (!std::exchange(client.busy, false) && client.session) client.session->release_buffers();
  });
}

void DtlsClients::drop(turn::Drop reason) {
  ++around_.counters.drops[static_cast<std::size_t>(reason)];
}

}  // namespace yuelao::server

#include "tests/turn/session_input.hpp"

namespace yuelao::turn::test {
namespace {

struct Giving {
  const Host& host;
  Now now;
  Outbox& out;
  Said& said;

  void operator()(const input::AddListener& added) const {
    host.engine.add_listener(added.transport, added.listener, added.local);
  }
  void operator()(const input::ClientMessage& received) const {
    host.engine.on_client_message(received.path, received.message, now, out);
  }
  void operator()(const input::PeerDatagram& received) const {
    host.engine.on_peer_datagram(received.relay, received.peer, received.payload, now, out);
  }
  void operator()(const input::IcmpError& heard) const {
    host.engine.on_peer_error(heard.relay, heard.error, now, out);
  }
  void operator()(const Handover& handover) const { host.engine.on_handover(handover, now, out); }
  void operator()(const Forward& forward) const { host.engine.on_forward(forward, now, out); }
  void operator()(const input::RelayOpened& opened) const {
    host.engine.on_relay_opened(opened.relay, opened.outcome, now, out);
  }
  void operator()(const input::PeerConnected& connected) const {
    host.engine.on_peer_connected(connected.id, connected.outcome, now, out);
  }
  void operator()(const input::PeerAccepted& accepted) const {
    said.accepted = host.engine.on_peer_accepted(accepted.relay, accepted.peer, now, out);
  }
  void operator()(const input::ConnectionEnded& ended) const {
    host.engine.on_connection_ended(ended.id);
  }
  void operator()(const input::CarriesData& asked) const {
    said.carries_data = host.engine.carries_data(asked.id, now);
  }
  void operator()(const input::DataCarried& carried) const {
    said.rest = host.engine.on_data_carried(carried.id, carried.way, carried.octets, now);
  }
  void operator()(const input::ClientClosed& closed) const {
    host.engine.on_client_closed(closed.path, now, out);
  }
  void operator()(const input::Advance&) const { host.engine.advance(now, out); }
  void operator()(const input::Reconfigure& changed) const {
    host.engine.reconfigure(changed.options, out);
  }
  void operator()(const input::Readdress& changed) const {
    host.directory.follow(changed.addresses);
    host.engine.readdress(host.directory);
  }
  void operator()(const input::Drain&) const { host.engine.drain(); }
  void operator()(const input::CloseAll&) const { host.engine.close_all(now, out); }
};

}  // namespace

Said give(const Host& host, const Input& input, Now now, Outbox& out) {
  Said said;
  std::visit(Giving{host, now, out, said}, input);
  return said;
}

}  // namespace yuelao::turn::test

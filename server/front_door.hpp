#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "protocol/edge/route.hpp"
#include "protocol/now.hpp"
#include "server/connection.hpp"
#include "server/meters.hpp"
#include "server/stream_settings.hpp"

namespace yuelao::server {

// The ends of a connection; empty when its client has gone already.
std::optional<FiveTuple> ends_of(const Connection::Socket& socket);

// One connection that was just accepted, until it is known who is to answer it. In this
// order: a PROXY header, where a proxy in `proxies` is at the other end; TLS or not, by the
// first octet; on a port shared with a web server whom the ClientHello is for; the TLS
// handshake; and on a shared port, whether what comes out of it is STUN.
//
// A connection that says nothing holds no buffer; one that says half of it holds at most
// edge::client_hello_limit octets. The deadline is the owner's to watch.
class FrontDoor : public std::enable_shared_from_this<FrontDoor> {
 public:
  // The web server's: `to` is its TLS port with what has arrived as it was, or its plain port
  // with what has been decrypted.
  struct WebVisit {
    std::unique_ptr<Connection> client;
    FiveTuple tuple;
    std::vector<std::byte> received;
    Endpoint to;
    // What it is told of the client before anything else.
    config::ProxyProtocol announcement;
  };
  // Gone, broken, or nothing that is answered here.
  struct Left {};
  using Outcome = std::variant<Arrival, WebVisit, Left>;
  // Called once, on the thread of the socket, unless close() came first.
  using Decided = std::function<void(FrontDoor& door, Outcome outcome)>;

  struct Visitor {
    Connection::Socket socket;
    Transport listener;
    FiveTuple tuple;  // of the connection, be it a proxy's
    ConnectionLimit::Place place;
  };
  // `meters` outlives this.
  FrontDoor(Visitor visitor, std::shared_ptr<const StreamSettings> settings, EntranceMeters& meters,
            Decided decided);

  void open();
  void close();

  SteadyTime deadline;

 private:
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<Outcome> decide();
  boost::asio::awaitable<Outcome> decide_tls();
  boost::asio::awaitable<bool> take_proxy_header();
  boost::asio::awaitable<edge::Route> route();
  boost::asio::awaitable<bool> end_tls();
  boost::asio::awaitable<bool> read_decrypted();
  boost::asio::awaitable<bool> read_more();

  bool from_proxy() const;
  bool shared() const;
  edge::NameOwner owner_of(const std::string& name) const;
  Arrival arrival();
  WebVisit visit(const Endpoint& to);

  std::unique_ptr<Connection> connection_;
  Transport listener_;
  std::shared_ptr<const StreamSettings> settings_;
  EntranceMeters& meters_;
  Decided decided_;
  FiveTuple tuple_;
  std::vector<std::byte> received_;
  bool closed_ = false;
};

}  // namespace yuelao::server

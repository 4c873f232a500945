#pragma once

#include <expected>
#include <system_error>

#include "protocol/endpoint.hpp"
#include "server/file_descriptor.hpp"
#include "server/stream_listener.hpp"

namespace yuelao::server {

// The sockets of a relay for TCP (RFC 6062): one that listens on the relayed transport address,
// and any number of connections that come from it or go to it. None of them blocks.

// Errors: the errno of socket(2), setsockopt(2), bind(2) or listen(2); EADDRINUSE where anybody
// has the port, this server's user too.
std::expected<ListeningSocket, std::error_code> open_tcp_relay(const Endpoint& local);

struct AcceptedPeer {
  FileDescriptor socket;
  Endpoint peer;
};
// Errors: EAGAIN when nobody waits.
std::expected<AcceptedPeer, std::error_code> accept_peer(const ListeningSocket& relay);

struct Connecting {
  FileDescriptor socket;
  bool done;  // otherwise it is when the socket is writable; connect_error() says how
};
// From the relay's own port. Errors: those that are known at once.
std::expected<Connecting, std::error_code> connect_from(const Endpoint& relay,
                                                        const Endpoint& peer);
std::error_code connect_error(const FileDescriptor& socket);

// Whether the machine or the process has none left of what the call needed.
bool out_of_resources(std::error_code error);

}  // namespace yuelao::server

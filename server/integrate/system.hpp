#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/turn/options.hpp"

namespace yuelao::integrate {

// One way to reach yuelao, as the URIs of RFC 7064 and RFC 7065 have it.
struct Service {
  std::string_view scheme;  // "stun", "turn" or "turns"
  std::uint16_t port = 3478;
  std::string_view transport;  // "udp" or "tcp"
};

// Where a system, or a page of it, asks for its TURN credentials (docs/credentials.md).
struct CredentialsApi {
  Endpoint listen;  // yuelao's own listener
  // How the system reaches it: "https://meet.example.org", a web server in front perhaps;
  // without the path. Empty: nobody said so.
  std::string url;
  std::string origin;  // of the page that asks, where it has another one; or empty
  Secret key;
};

// What a meeting system has to be told of yuelao.
struct Request {
  std::string host;  // a name, an IPv4 address, or an IPv6 one in brackets
  std::vector<Service> services;
  // The TCP port of `turn` takes `turns` too, told apart by the first octet.
  bool tls_on_tcp = false;
  Secret secret;                       // TURN REST, for systems that make their own credentials
  turn::StaticUser user;               // for those that only know a name and a password
  std::optional<CredentialsApi> api;   // set: the system is to ask for credentials
  std::optional<Endpoint> web_server;  // set: yuelao has port 443 in front of it
};

// Something to paste or to type on the meeting system's side.
struct Snippet {
  std::string where;  // a file, or on which machine a command is run
  std::string what;   // one sentence: what to do with the text
  std::string text;   // whole lines
};

struct Instructions {
  std::vector<Snippet> snippets;
  std::vector<std::string> notes;  // what the system cannot do, and what to watch
};

// How a system proves to yuelao that its users may relay.
enum class Credential : std::uint8_t { rest, static_user };

// To whom clients relay: to each other, to a media server of the system as well, or to
// nobody but the media server.
enum class Media : std::uint8_t { peers, server, only_server };

// Who of a system can ask for credentials over HTTP.
enum class Asks : std::uint8_t { nobody, server, page };

// What serves a system's pages on port 443, and may make room there for yuelao.
struct WebServer {
  // `built_in` understands no PROXY header, and speaks TLS alone.
  enum class Kind : std::uint8_t { nginx, built_in, none };
  Kind kind;
  // nginx: the file its site is in. none: why there is no port to share, as a sentence.
  std::string_view text;
};

// One meeting system. The table is in systems.cpp; each has a file of its own.
struct System {
  std::string_view name;  // on the command line
  std::string_view title;
  std::string_view summary;  // half a line for the list
  Credential credential;
  Media media;
  // Where yuelao listens beside this system.
  std::uint16_t port;
  Asks asks;
  WebServer web_server;
  Instructions (*instructions)(const Request& request);
};

// "turn:turn.example.org:3478?transport=udp"; a stun: URI has no transport.
std::string url(const Request& request, const Service& service);

// The first service of this scheme over this transport, if there is one.
std::optional<Service> find(const Request& request, std::string_view scheme,
                            std::string_view transport);

// Whether only programs of the same machine get there.
bool loopback(const IpAddress& address);

}  // namespace yuelao::integrate

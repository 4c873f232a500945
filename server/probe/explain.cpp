#include "server/probe/explain.hpp"

#include <fmt/format.h>
#include <cerrno>
#include <cstring>

#include "server/printable.hpp"

namespace yuelao::probe {
namespace {

using client::ChallengeError;
using client::Failure;

std::string port_of(const Place& place) {
  const auto carrier = over_udp(place.transport) ? "UDP" : "TCP";
  return std::string{carrier} + " port " + std::to_string(place.server.port);
}

std::string explain_code(std::uint16_t code) {
  switch (code) {
    case 300:
      return "it sends clients to another server";
    case 400:
      return "it takes the request for malformed";
    case 401:
      return "it does not accept the user name or the password. Compare them, or the shared "
             "secret, with the server's; with a shared secret, compare both machines' clocks";
    case 403:
      return "its rules forbid it";
    case 437:
      return "it does not know the relay any more";
    case 438:
      return "it calls every nonce stale. Look at the clock of the server";
    case 440:
      return "it has no relay of this address family";
    case 441:
      return "the relay belongs to other credentials";
    case 442:
      return "it does not relay UDP";
    case 443:
      return "the peer is of another address family than the relay";
    case 486:
      return "this user, or the server, has as many relays as its quota allows";
    case 508:
      return "it has no relay port left, or a limit of its machine is reached";
    default:
      return "it gives no reason that is known here";
  }
}

std::string explain_refusal(const Failure& failure) {
  auto text = "The server refuses with " + std::to_string(failure.code);
  if (!failure.phrase.empty()) text += " (" + printable(failure.phrase) + ")";
  text += ": " + explain_code(failure.code);
  if (failure.alternate) text += ", " + failure.alternate->to_string();
  return text + ".";
}

std::string explain_challenge(ChallengeError error) {
  switch (error) {
    case ChallengeError::incomplete:
      return "The server asks for credentials and leaves out its realm or its nonce: no client "
             "can answer that.";
    case ChallengeError::bid_down:
      return "Somebody between here and the server removed its password algorithms, or the "
             "server announces them and names none: no client may answer that.";
    case ChallengeError::no_algorithm:
      return "The server knows neither MD5 nor SHA-256 keys: no client can answer that.";
  }
  return {};
}

std::string explain_silence(const Place& place) {
  const auto port = port_of(place);
  if (place.transport == Transport::udp) {
    return "No answer on " + port +
           ": a firewall, a security group or a NAT drops the "
           "datagrams on their way there or back, or no STUN server listens there.";
  }
  return "The connection stands, and no answer comes over it: what listens on " + port +
         " is no STUN server, or a proxy that does not reach one.";
}

}  // namespace

std::string_view spoken(Transport transport) {
  switch (transport) {
    case Transport::udp:
      return "UDP";
    case Transport::tcp:
      return "TCP";
    case Transport::tls:
      return "TLS";
    case Transport::dtls:
      return "DTLS";
  }
  return {};
}

bool is_ours(const LinkError& error) {
  return error.error == ENETUNREACH || error.error == EADDRNOTAVAIL || error.error == EAFNOSUPPORT;
}

std::string explain(const LinkError& error, const Place& place) {
  const auto port = port_of(place);
  if (!error.handshake.empty()) {
    const std::string protocol{spoken(place.transport)};
    return protocol + " does not come about: " + error.handshake + ". Look whether " + port +
           " is the one for " + protocol + ", and at the server's certificate and log.";
  }
  if (is_ours(error)) {
    const bool six = place.server.address.family() == Family::ipv6;
    return std::string{"This machine has no "} + (six ? "IPv6" : "IPv4") +
           " route to the server, so this could not be tried from here.";
  }
  switch (error.error) {
    case ECONNREFUSED:
      return "Nothing listens on " + port +
             ", or a firewall rejects it: look whether the server "
             "runs, and at its port.";
    case ETIMEDOUT:
      return "No answer on " + port +
             " in time: a firewall or a security group drops it, or the "
             "machine is down.";
    case EHOSTUNREACH:
      return "The network says that the host cannot be reached: look whether the machine is up, "
             "and for a firewall that rejects.";
    case EPERM:
    case EACCES:
      return "This machine's own firewall forbids sending to " + port + ".";
    case ENODATA:
    case ECONNRESET:
    case EPIPE:
      return "The server, or a proxy before it, closed the connection: look at its log, and "
             "whether " +
             port + " is the right one.";
    case EBADMSG:
      return "What answers on " + port +
             " speaks neither STUN nor TURN: another service has this "
             "port.";
    default:
      return "The system says: " + std::string{std::strerror(error.error)} + ".";
  }
}

std::string explain(const Trouble& trouble, const Place& place) {
  if (trouble.error != 0) return explain(LinkError{trouble.error, {}}, place);
  const auto& failure = trouble.failure;
  switch (failure.reason) {
    case Failure::Reason::silent:
      return explain_silence(place);
    case Failure::Reason::refused:
      return explain_refusal(failure);
    case Failure::Reason::unsigned_answer:
      return "The server's answers are not signed with this password: it is another one, or "
             "somebody else answers.";
    case Failure::Reason::malformed:
      return "The server's answer lacks what it has to hold, or asks for more than clients know: "
             "they "
             "cannot use it.";
    case Failure::Reason::no_credentials:
      return "The server asks for a user name and a password: give them with --user and "
             "--password-file, or the shared secret with --secret-file.";
    case Failure::Reason::bad_challenge:
      return explain_challenge(failure.challenge.value_or(ChallengeError::incomplete));
  }
  return {};
}

std::string algorithm_name(std::uint16_t number) {
  const auto known = stun::key_algorithm(number);
  if (!known) return fmt::format("0x{:04x}", number);
  return *known == stun::KeyAlgorithm::md5 ? "MD5" : "SHA-256";
}

std::string explain(const client::Offer& offer) {
  const std::string names{offer.user_anonymity ? "hides user names" : "does not hide user names"};
  if (offer.algorithms.empty()) {
    return "The server authenticates as RFC 5389 says, with MD5, and " + names + ".";
  }
  std::string algorithms;
  for (const auto number : offer.algorithms) {
    algorithms += (algorithms.empty() ? "" : ", ") + algorithm_name(number);
  }
  const auto used = algorithm_name(static_cast<std::uint16_t>(offer.chosen));
  return fmt::format("The server offers the password algorithms {}, of which {} was used, and {}.",
                     algorithms, used, names);
}

std::string milliseconds(std::chrono::microseconds duration) {
  return fmt::format("{:.1f} ms", static_cast<double>(duration.count()) / 1000);
}

}  // namespace yuelao::probe

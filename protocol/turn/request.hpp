#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/endpoint.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/error_code.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/turn/nonce.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/proof.hpp"
#include "protocol/turn/reservations.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "protocol/turn/ticket.hpp"

namespace yuelao::turn {

// A STUN request as it came in; lives as long as the datagram.
struct Request {
  const ClientPath& path;
  const stun::Message& message;
};

// A request whose sender knows the password of `user`. Only Authentication makes one,
// so a handler that takes it cannot be reached without.
class AuthenticatedRequest {
 public:
  const ClientPath& path() const { return request_.path; }
  const FiveTuple& tuple() const { return request_.path.tuple; }
  const stun::Message& message() const { return request_.message; }
  std::string_view user() const { return user_; }
  const Proof& proof() const { return proof_; }

 private:
  friend class Authentication;
  AuthenticatedRequest(const Request& request, std::string_view user, const Proof& proof)
      : request_{request}, user_{user}, proof_{proof} {}

  Request request_;
  std::string_view user_;
  Proof proof_;
};

// ADDRESS-ERROR-CODE (RFC 8656 §18.12): why a dual allocation has no relay of this family.
struct RefusedFamily {
  Family family;
  stun::ErrorCode code;
};

// What a Binding tells of the server itself (RFC 5780 §6.1).
struct Discovered {
  Endpoint origin;  // where the answer comes from
  Endpoint other;
  // With PADDING, the size of the request: the answer is filled up to it, and never longer.
  std::optional<std::size_t> padded_to{};
};

// What a handler answers. Everything a success can carry, each where its method has it.
struct Success {
  std::optional<Endpoint> mapped{};
  std::optional<Discovered> discovered{};
  std::optional<Endpoint> relayed{};
  std::optional<Endpoint> second_relayed{};
  std::optional<RefusedFamily> refused_family{};
  std::optional<std::chrono::seconds> lifetime{};
  std::optional<ReservationToken> reservation{};
  std::optional<ConnectionId> connection{};
  std::optional<SealedTicket> ticket{};
};
// 401 and 438 get a challenge (REALM, NONCE, PASSWORD-ALGORITHMS) from the encoder, 300
// the other server.
struct Refusal {
  stun::ErrorCode code;
  stun::UnknownAttributes unknown{};
};
// The world is asked first; the answer follows with its outcome, or never.
struct Deferred {};
using Answer = std::variant<Success, Refusal, Deferred>;

// An answer and the way it takes: not the one its request came by where RFC 5780 lets the
// client choose.
struct Routed {
  Answer answer;
  ClientPath way;
};

// What of a request its answer needs, kept while the answer is deferred.
struct ReplyTo {
  stun::Method method{};
  stun::TransactionId id;
  // A client that checks fingerprints sends them; others are spared eight octets.
  bool fingerprint = false;
  // RFC 8489 §9.2.4: MESSAGE-INTEGRITY-SHA256 signs the answer where the request chose a
  // password algorithm, and MESSAGE-INTEGRITY where it is one that RFC 5389 knows.
  bool sha256 = false;

  static ReplyTo from(const stun::Message& message);
};

// What replies say beside the answer itself.
struct ReplyContext {
  const std::string& realm;
  const std::optional<std::string>& software;
  const AlternateServer& alternate;  // for 300
  const FiveTuple& tuple;
  std::optional<NonceText> nonce;          // where challenges() is true
  const stun::LongTermKey* key = nullptr;  // signs the reply; null before authentication
};

// Whether the answer brings a challenge.
bool challenges(const Answer& answer);

// Discovered::padded_to, where the answer has it.
std::optional<std::size_t> padded_to(const Answer& answer);

// Composes the one STUN response to a request: the view is inside `out`. Empty when
// `out` is too small, when the answer would outgrow Discovered::padded_to, or when it is
// deferred.
Bytes encode_reply(const ReplyTo& to, const Answer& answer, const ReplyContext& context,
                   MutableBytes out);

}  // namespace yuelao::turn

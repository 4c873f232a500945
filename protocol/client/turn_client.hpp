#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <variant>

#include "protocol/bytes.hpp"
#include "protocol/client/challenge.hpp"
#include "protocol/client/relayed_data.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"
#include "protocol/random.hpp"
#include "protocol/stun/attribute_values.hpp"
#include "protocol/stun/channel_number.hpp"
#include "protocol/stun/message.hpp"

namespace yuelao::client {

// What a client can ask a server for.
struct Binding {  // RFC 8489 §12; unsigned
  // CHANGE-REQUEST (RFC 5780 §7.2); without a flag it is not sent.
  stun::ChangeRequest change{};
};
struct Allocate {  // RFC 8656 §7.1
  // REQUESTED-ADDRESS-FAMILY; empty: not said, and the server chooses.
  std::optional<Family> family{};
  bool both_families = false;  // ADDITIONAL-ADDRESS-FAMILY
  std::optional<stun::EvenPort> even_port{};
  bool dont_fragment = false;
  bool for_tcp = false;       // a relay for TCP (RFC 6062), and not for UDP
  bool wants_ticket = false;  // MOBILITY-TICKET (RFC 8016)
};
struct CreatePermission {  // RFC 8656 §10.1
  Endpoint peer;           // its port does not matter
};
struct ChannelBind {  // RFC 8656 §12.1
  stun::ChannelNumber channel;
  Endpoint peer;
};
struct Refresh {  // RFC 8656 §8.1
  std::chrono::seconds lifetime;
};
using Request = std::variant<Binding, Allocate, CreatePermission, ChannelBind, Refresh>;

// Of a success, what the server told.
struct Granted {
  std::optional<Endpoint> mapped;          // always there for Binding
  std::optional<Endpoint> plain;           // MAPPED-ADDRESS, which gateways between may rewrite
  std::optional<Endpoint> other;           // OTHER-ADDRESS: RFC 5780 §7.4
  std::optional<Endpoint> relayed;         // always there for Allocate
  std::optional<Endpoint> second_relayed;  // of a dual allocation
  std::optional<std::uint16_t> second_refused;  // ADDRESS-ERROR-CODE: why there is no second one
  bool reserved = false;                        // with a RESERVATION-TOKEN
  bool mobile = false;                          // with a MOBILITY-TICKET
  std::chrono::seconds lifetime{};              // of an allocation
  std::string software;                         // as the server wrote it: print it with care
};

struct Failure {
  enum class Reason : std::uint8_t {
    silent,           // no answer to any transmission
    refused,          // an error response: `code`
    unsigned_answer,  // answers came, and none is signed with this password: §9.2.5
    malformed,        // without what it has to hold, or with what a client has to understand
    no_credentials,   // challenged, and there are none to answer with
    bad_challenge,    // `challenge` says what is wrong with the 401 or 438
  };
  Reason reason{};
  std::uint16_t code = 0;  // ERROR-CODE, also of an answer that was not signed
  std::string phrase;      // the server's own reason phrase: print it with care
  std::optional<ChallengeError> challenge;
  std::optional<Endpoint> alternate;  // ALTERNATE-SERVER of a 300
};

// A request's end.
struct Outcome {
  std::expected<Granted, Failure> result;
  // From the first transmission of the transaction that was answered to its answer.
  SteadyTime::duration round_trip{};
  unsigned transmissions = 1;  // of that transaction; the round trip is sure if it is 1
};

// What an input brought about. RelayedData's payload views the message.
using Event = std::variant<std::monostate, Outcome, RelayedData>;

// RFC 8489 §6.2.1. A stream sends once and waits as long as a datagram's client would
// (§6.2.2).
struct Schedule {
  std::chrono::milliseconds first_timeout{500};  // RTO; it doubles with every transmission
  unsigned transmissions = 7;                    // Rc
  unsigned last_timeout_factor = 16;             // Rm: how many RTO the last one waits
};

enum class Carrier : std::uint8_t { datagrams, stream };

// A request on its way. Outside TurnClient, as Clang cannot make an optional of a class
// with default initializers within the class that encloses it.
struct PendingRequest {
  Request request;
  stun::TransactionId id;
  std::size_t size = 0;  // of the request in TurnClient's buffer
  bool is_signed = false;
  bool due = true;
  unsigned transmissions = 1;
  unsigned challenges = 0;
  SteadyTime began;
  SteadyTime next;
  // The code of an answer that did not count; 0 is a success's.
  std::optional<std::uint16_t> discarded;
};

// One client's dealings with one server over one five-tuple: composes requests, answers
// challenges, repeats what is lost and judges what comes back. Sans-IO: octets and times
// go in, octets and events come out.
//
// After start(), on_message() and advance(), send what take_transmission() gives; call
// advance() when deadline() has come.
class TurnClient {
 public:
  // `random` outlives the client. Without credentials a challenge is a failure.
  TurnClient(Carrier carrier, std::optional<Credentials> credentials, const Schedule& schedule,
             Random& random);

  // One request at a time: asserts that none is under way.
  void start(const Request& request, SteadyTime now);
  bool waiting() const { return pending_.has_value(); }

  // A whole message from the server. What is no answer to the request under way, or not one
  // that the RFC lets count, changes nothing.
  Event on_message(Bytes message, SteadyTime now);
  // Lets time pass: repeats the request, or gives up on it.
  std::optional<Outcome> advance(SteadyTime now);
  // When advance() has something to do; empty when there is nothing to wait for.
  std::optional<SteadyTime> deadline() const;

  // The request's octets where they have to be sent (again); empty where not. The view
  // lives until the next call that takes a time.
  Bytes take_transmission();

  // What the last challenge offered; empty before one.
  std::optional<Offer> offer() const {
    return challenge_ ? std::optional{challenge_->offer()} : std::nullopt;
  }
  // REALM of the last challenge; empty before one.
  std::string realm() const { return challenge_ ? challenge_->realm() : std::string{}; }

 private:
  void transmit(SteadyTime now);
  SteadyTime::duration timeout(unsigned transmission) const;
  std::optional<Outcome> judge(const stun::Message& response, SteadyTime now);
  std::optional<Outcome> judge_error(const stun::Message& response, SteadyTime now);
  std::optional<Outcome> answer_challenge(const stun::Message& response, SteadyTime now);
  std::optional<Outcome> discard(std::uint16_t code, SteadyTime now);
  Outcome finish(std::expected<Granted, Failure> result, SteadyTime now);

  Carrier carrier_;
  std::optional<Credentials> credentials_;
  Schedule schedule_;
  Random& random_;
  std::optional<Challenge> challenge_;
  std::optional<PendingRequest> pending_;
  std::array<std::byte, 2048> buffer_{};
};

}  // namespace yuelao::client

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "protocol/client/dns_records.hpp"
#include "protocol/client/uri.hpp"
#include "protocol/random.hpp"

namespace yuelao::client {

// A server to try, before its host's addresses are known.
struct Target {
  Transport transport{};
  std::string host;  // a name, or the URI's literal
  std::uint16_t port = 0;

  friend bool operator==(const Target&, const Target&) = default;
};

// What the operator of a domain should know of its records.
struct Remark {
  enum class Kind : std::uint8_t {
    loop,              // a NAPTR record leads back to a name that led to it
    dead_end,          // a NAPTR record leads to a name without the records it promises
    not_offered,       // the only SRV record has the target "."
    unusable,          // a RELAY record that S-NAPTR has no meaning for
    too_many_records,  // of one name and type: the last in their order are not looked at
    too_many_questions,
    too_many_targets,
  };
  Kind kind{};
  std::string name;  // whose records they are; empty where it is not about one name

  friend bool operator==(const Remark&, const Remark&) = default;
};

// Where a resolution stands.
struct Plan {
  // To be asked next, in any order; empty: the resolution has ended.
  std::vector<DnsQuestion> questions;
  // In the order in which a client tries them; none while there are questions.
  std::vector<Target> targets;
  std::vector<Remark> remarks;
};

// What bounds the work that hostile records can make.
inline constexpr std::size_t most_records = 32;    // of an answer
inline constexpr std::size_t most_questions = 24;  // of a resolution
inline constexpr std::size_t most_targets = 16;

// The servers that a "turn" or "turns" URI means (RFC 5928 §3), or a "stun" or "stuns" one
// (RFC 8489 §8.1). Call it with no answers, ask what it wants to know, and call it again with
// all that was answered so far until it asks nothing more; `random` decides among SRV
// records of one priority (RFC 2782).
//
// Of no use are NAPTR records for RELAY with a regular expression, without a replacement or
// with a flag other than "", "S" and "A" (RFC 3958), SRV records with port 0, and
// those with the target "." beside others.
//
// `supported` is RFC 5928's list of the application's transports, the preferred one first.
// TLS or DTLS for a "turn" URI is offered only where a NAPTR record names it: to the letter, a
// client would also try them on the ports of plain TCP and UDP, where no server expects it.
Plan plan(const Uri& uri, std::span<const Transport> supported, const DnsAnswers& answers,
          Random& random);

}  // namespace yuelao::client

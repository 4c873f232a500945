#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/random.hpp"

namespace yuelao::client {

// What a resolution asks the DNS for. Addresses are asked for last, and by whoever
// connects: the system may know some from elsewhere.
struct DnsQuestion {
  enum class Type : std::uint8_t { naptr, srv };
  Type type{};
  std::string name;  // as canonical() has it

  friend auto operator<=>(const DnsQuestion&, const DnsQuestion&) = default;
};
std::string_view name(DnsQuestion::Type type);  // "NAPTR"

// RFC 3403 §4.1. The replacement as canonical() has it. Records are tried in the order of
// operator<=>: by order, then by preference (RFC 3958), then in some way that does not
// depend on how a server shuffles its answers.
struct NaptrRecord {
  std::uint16_t order = 0;
  std::uint16_t preference = 0;
  std::string flags;
  std::string services;
  std::string regular_expression;
  std::string replacement;

  friend auto operator<=>(const NaptrRecord&, const NaptrRecord&) = default;
};

// RFC 2782. The target as canonical() has it; empty: the service is not to be had. operator<=>
// goes by priority, then by weight.
struct SrvRecord {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string target;

  friend auto operator<=>(const SrvRecord&, const SrvRecord&) = default;
};

struct DnsAnswer {
  enum class Outcome : std::uint8_t {
    found,      // and there are records
    none,       // the name has no record of this type
    no_name,    // there is no such name, or no name can be written so
    silent,     // no server answered in time
    refused,    // the server will not or cannot say
    malformed,  // what came is no answer
  };
  Outcome outcome = Outcome::none;
  std::vector<NaptrRecord> naptr;
  std::vector<SrvRecord> srv;
};

using DnsAnswers = std::map<DnsQuestion, DnsAnswer>;

// A domain name in lower case and without the dot at its end; the root is empty.
std::string canonical(std::string_view name);

// In the order of RFC 2782: by priority, and by chance and weight where that is the same.
std::vector<SrvRecord> in_order(std::vector<SrvRecord> records, Random& random);

}  // namespace yuelao::client

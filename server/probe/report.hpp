#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/client/challenge.hpp"
#include "protocol/client/nat_discovery.hpp"
#include "protocol/client/resolution.hpp"
#include "protocol/client/uri.hpp"
#include "protocol/endpoint.hpp"

namespace yuelao::probe {

enum class Verdict : std::uint8_t {
  works,
  attention,  // works, and somebody should look at it
  failed,
  skipped,  // could not be tried from this machine, which says nothing about the server
};
std::string_view name(Verdict verdict);

// One thing that was tried, and what came of it.
struct Step {
  std::string name;  // a word for scripts: "resolve", "connect", "certificate", ...
  Verdict verdict = Verdict::works;
  std::string sentences;  // for people: what happened, why, and what to do
};

// The server's certificate, and the session that it came with.
struct Certificate {
  std::vector<std::string> names;  // subjectAltName: DNS names and addresses
  std::string issuer;
  std::chrono::sys_seconds expiry;
  std::string distrust;  // why a client refuses it; empty: it does not
  std::string protocol;  // "TLSv1.3"
  std::string alpn;      // what was agreed on; empty: nothing
};

// How much a test may send: everything, or what a server with calls on it does not feel.
enum class Load : std::uint8_t { full, light };

// Packets sent to ourselves through the relay.
struct DataTest {
  enum class Way : std::uint8_t {
    between_relays,  // we have a relay at both ends, as two clients of a call may
    from_socket,     // a UDP socket of this machine's sends to the relay, as a peer does
  };
  Way way{};
  unsigned sent = 0;
  unsigned arrived = 0;   // at the other end
  unsigned returned = 0;  // and came back from there
  // There and back; zero where nothing returned.
  std::chrono::microseconds fastest{};
  std::chrono::microseconds median{};
  std::chrono::microseconds percentile_95{};
  std::chrono::microseconds slowest{};
  double megabits_per_second = 0;  // of payload, one way; zero: not measured
};
std::string_view name(DataTest::Way way);
// RFC 4787's word: "endpoint-independent", "address-dependent", ...; "unknown".
std::string_view name(client::Dependence dependence);

// A part of the standard that a server need not have, and whether it does.
struct Feature {
  enum class Name : std::uint8_t {
    ipv4_relays,
    ipv6_relays,
    dual_allocation,     // RFC 8656's ADDITIONAL-ADDRESS-FAMILY
    even_ports,          // EVEN-PORT with R, RESERVATION-TOKEN
    dont_fragment,       // DONT-FRAGMENT
    tcp_relays,          // RFC 6062
    mobility,            // RFC 8016
    behavior_discovery,  // RFC 5780
    dtls,                // RFC 7350, on the same port
  };
  Name name{};
  std::optional<bool> spoken;  // unset: that could not be found out
};
std::string_view name(Feature::Name name);

// One way to the server: one transport to one of its addresses.
struct Leg {
  Transport transport{};
  Endpoint server;
  Verdict verdict = Verdict::skipped;  // the worst of its steps
  std::vector<Step> steps;
  std::optional<Endpoint> local;
  std::optional<Endpoint> mapped;   // as the server sees this machine
  std::optional<Endpoint> relayed;  // what peers send to
  std::string software;             // what the server calls itself, made printable
  std::string realm;
  std::optional<client::Offer> offer;  // of the server's challenge; unset: there was none
  std::optional<std::chrono::microseconds> round_trip;  // of a Binding
  std::optional<Certificate> certificate;
  std::vector<DataTest> data;
  std::optional<client::NatBehavior> nat;  // unset: the server does not show it
  std::vector<Feature> features;           // those that were tried

  void add(Step step);
};

// A question to the DNS, and what came of it.
struct Lookup {
  client::DnsQuestion question;
  client::DnsAnswer::Outcome outcome{};
  // As zone files have them, in the order in which they count; the first 32.
  std::vector<std::string> records;
};
std::string_view name(client::DnsAnswer::Outcome outcome);

// What probe() found out. A value: print it, or look into it.
struct Report {
  client::Uri uri;
  std::vector<Step> resolution;
  std::vector<Lookup> lookups;          // of NAPTR and SRV records, in their order
  std::vector<client::Target> targets;  // what they lead to, in the order to be tried
  std::vector<Leg> legs;
  std::chrono::milliseconds took{};

  // Something worked, and nothing failed.
  bool works() const;
};

// A line for each step, behind a mark for its verdict.
std::string to_text(const std::vector<Step>& steps);
// For people: several lines, in sentences.
std::string to_text(const Report& report);
// For scripts: docs/probe.md says what the members mean.
std::string to_json(const Report& report);

}  // namespace yuelao::probe

#include "protocol/client/resolution.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace yuelao::client {
namespace {

using Type = DnsQuestion::Type;
using Path = std::vector<std::string>;  // the names that led to a NAPTR record

// RFC 5928 §6.2 to §6.4, RFC 7350 §6.1.
std::string_view protocol_tag(Transport transport) {
  switch (transport) {
    case Transport::udp:
      return "turn.udp";
    case Transport::tcp:
      return "turn.tcp";
    case Transport::tls:
      return "turn.tls";
    case Transport::dtls:
      return "turn.dtls";
  }
  return {};
}

// RFC 3958: a service tag, and the protocol tags behind it. Tags have no case.
bool offers(const NaptrRecord& record, Transport transport) {
  const auto services = canonical(record.services);
  std::string_view rest = services;
  const auto take = [&] {
    const auto tag = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(tag.size() + 1, rest.size()));
    return tag;
  };
  if (take() != "relay") return false;
  while (!rest.empty()) {
    if (take() == protocol_tag(transport)) return true;
  }
  return false;
}

std::vector<NaptrRecord> offering(const DnsAnswer& answer, Transport transport) {
  auto records = answer.naptr;
  std::ranges::sort(records);
  if (records.size() > most_records) records.resize(most_records);
  std::erase_if(records, [=](const NaptrRecord& one) { return !offers(one, transport); });
  return records;
}

bool secure(Transport transport) {
  return transport == Transport::tls || transport == Transport::dtls;
}

std::uint16_t plain_or_secure_port(Transport transport) {
  return secure(transport) ? 5349 : 3478;  // RFC 8656 §3.1, RFC 7350 §4.6
}

// RFC 5928 §3, before step 1, as RFC 7350 §4.6.2 has it. "stun" is for datagrams, whatever the
// client can do.
bool fits(Transport transport, const Uri& uri) {
  if (uri.secure() && !secure(transport)) return false;
  if (!uri.secure() && !uri.relays()) return transport == Transport::udp;
  if (!uri.transport) return true;
  if (uri.secure()) return over_udp(transport) == over_udp(*uri.transport);
  return transport == *uri.transport;
}

// The records are known not to be there: a server that says nothing says not even that.
bool absent(const DnsAnswer& answer) {
  return answer.outcome == DnsAnswer::Outcome::none ||
         answer.outcome == DnsAnswer::Outcome::no_name;
}

// RFC 6761 §6.3: these names mean this machine, and no resolver is to be asked.
bool local(std::string_view host) { return host == "localhost" || host.ends_with(".localhost"); }

class Resolution {
 public:
  Resolution(const Uri& uri, const DnsAnswers& answers, Random& random)
      : uri_{uri}, answers_{answers}, random_{random}, host_{canonical(uri.host)} {}

  Plan run(std::span<const Transport> supported) {
    const auto transports = filtered(supported);
    const bool s_naptr = uri_.relays() && !uri_.transport;
    if (uri_.address || uri_.port || local(host_)) {
      for (const auto transport : plain(transports)) add_host(transport);
    } else if (!s_naptr || !by_naptr(transports)) {
      for (const auto transport : plain(transports)) by_srv(transport);
    }
    if (!plan_.questions.empty()) plan_.targets.clear();
    return std::move(plan_);
  }

 private:
  std::vector<Transport> filtered(std::span<const Transport> supported) const {
    std::vector<Transport> left;
    for (const auto one : supported) {
      if (fits(one, uri_)) left.push_back(one);
    }
    return left;
  }
  // What is tried where no record names a transport.
  std::vector<Transport> plain(std::vector<Transport> transports) const {
    if (!uri_.secure()) std::erase_if(transports, secure);
    return transports;
  }

  const DnsAnswer* answer_to(Type type, const std::string& name);
  bool by_naptr(const std::vector<Transport>& transports);
  void follow(Transport transport, const Path& path);
  void follow(Transport transport, const Path& path, const NaptrRecord& record);
  void by_srv(Transport transport);
  void add(Target target);
  void add(Transport transport, const std::string& name, const DnsAnswer& answer);
  void add_host(Transport transport) {
    add({transport, uri_.host, uri_.port.value_or(uri_.default_port())});
  }
  void remark(Remark::Kind kind, const std::string& name = {}) {
    const Remark one{kind, name};
    if (std::ranges::find(plan_.remarks, one) == plan_.remarks.end()) plan_.remarks.push_back(one);
  }

  const Uri& uri_;
  const DnsAnswers& answers_;
  Random& random_;
  std::string host_;
  Plan plan_;
  std::set<std::pair<Transport, std::string>> followed_;
};

// Null where it is not known yet, and then it becomes a question.
const DnsAnswer* Resolution::answer_to(Type type, const std::string& name) {
  const DnsQuestion question{type, name};
  if (const auto known = answers_.find(question); known != answers_.end()) {
    const auto count = std::max(known->second.naptr.size(), known->second.srv.size());
    if (count > most_records) remark(Remark::Kind::too_many_records, name);
    return &known->second;
  }
  auto& wanted = plan_.questions;
  if (std::ranges::find(wanted, question) != wanted.end()) return nullptr;
  if (answers_.size() + wanted.size() < most_questions) {
    wanted.push_back(question);
  } else {
    remark(Remark::Kind::too_many_questions);
  }
  return nullptr;
}

// Step 4. False: there is no record to go by, and step 5 follows.
bool Resolution::by_naptr(const std::vector<Transport>& transports) {
  const auto* first = answer_to(Type::naptr, host_);
  if (!first) return true;
  // The first set ranks the protocols; the application does where that makes no difference.
  std::multimap<std::pair<std::uint16_t, std::uint16_t>, Transport> ranked;
  for (const auto transport : transports) {
    const auto records = offering(*first, transport);
    if (records.empty()) continue;
    ranked.insert({{records.front().order, records.front().preference}, transport});
  }
  for (const auto& [rank, transport] : ranked) follow(transport, {host_});
  return !ranked.empty();
}

// S-NAPTR (RFC 3958) for one protocol, from the last name of `path` on. A name is
// followed once, so that names which lead to the same one many times cost no more.
void Resolution::follow(Transport transport, const Path& path) {
  if (!followed_.emplace(transport, path.back()).second) return;
  const auto* answer = answer_to(Type::naptr, path.back());
  if (!answer) return;
  const auto records = offering(*answer, transport);
  if (absent(*answer) || (answer->outcome == DnsAnswer::Outcome::found && records.empty())) {
    remark(Remark::Kind::dead_end, path.back());
  }
  for (const auto& record : records) follow(transport, path, record);
}

void Resolution::follow(Transport transport, const Path& path, const NaptrRecord& record) {
  const auto flags = canonical(record.flags);
  const auto& next = record.replacement;
  const bool known = flags.empty() || flags == "s" || flags == "a";
  if (!known || next.empty() || !record.regular_expression.empty()) {
    return remark(Remark::Kind::unusable, path.back());
  }
  if (flags == "a") return add({transport, next, plain_or_secure_port(transport)});
  if (flags == "s") {
    const auto* answer = answer_to(Type::srv, next);
    if (answer && absent(*answer)) remark(Remark::Kind::dead_end, next);
    if (answer) add(transport, next, *answer);
    return;
  }
  if (std::ranges::find(path, next) != path.end()) return remark(Remark::Kind::loop, next);
  auto longer = path;
  longer.push_back(next);
  follow(transport, longer);
}

// Steps 3 and 5. Without a record the host itself is the server (RFC 2782).
void Resolution::by_srv(Transport transport) {
  const std::string protocol = over_udp(transport) ? "udp" : "tcp";
  const auto owner = "_" + std::string{name(uri_.scheme)} + "._" + protocol + "." + host_;
  const auto* answer = answer_to(Type::srv, owner);
  if (!answer) return;
  if (answer->outcome != DnsAnswer::Outcome::found) return add_host(transport);
  add(transport, owner, *answer);
}

void Resolution::add(Target target) {
  if (std::ranges::find(plan_.targets, target) != plan_.targets.end()) return;
  if (plan_.targets.size() == most_targets) return remark(Remark::Kind::too_many_targets);
  plan_.targets.push_back(std::move(target));
}

void Resolution::add(Transport transport, const std::string& name, const DnsAnswer& answer) {
  auto records = answer.srv;
  if (records.size() == 1 && records.front().target.empty()) {
    return remark(Remark::Kind::not_offered, name);
  }
  const auto useless = [](const SrvRecord& one) { return one.target.empty() || one.port == 0; };
  if (std::erase_if(records, useless) > 0) remark(Remark::Kind::unusable, name);
  // Before chance comes in, whose cost grows with the square of the count.
  std::ranges::sort(records);
  if (records.size() > most_records) records.resize(most_records);
  for (auto& one : in_order(std::move(records), random_)) {
    add({transport, std::move(one.target), one.port});
  }
}

}  // namespace

Plan plan(const Uri& uri, std::span<const Transport> supported, const DnsAnswers& answers,
          Random& random) {
  return Resolution{uri, answers, random}.run(supported);
}

}  // namespace yuelao::client

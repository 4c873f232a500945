#include "server/probe/resolution_steps.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <string>
#include <string_view>

#include "server/printable.hpp"
#include "server/probe/explain.hpp"

namespace yuelao::probe {
namespace {

using client::DnsAnswer;
using client::Remark;
using Texts = std::vector<std::string>;

constexpr std::size_t most_told = 8;  // records or servers in a sentence

std::string text_of(const client::NaptrRecord& one) {
  auto text = fmt::format("{} {} \"{}\" \"{}\" ", one.order, one.preference, printable(one.flags),
                          printable(one.services));
  if (!one.regular_expression.empty()) {
    text += fmt::format("\"{}\" ", printable(one.regular_expression));
  }
  return text + (one.replacement.empty() ? "." : printable(one.replacement));
}

std::string text_of(const client::SrvRecord& one) {
  return fmt::format("{} {} {} {}", one.priority, one.weight, one.port,
                     one.target.empty() ? "." : printable(one.target));
}

std::string listed(const Texts& texts, std::string_view between, std::string_view last) {
  std::string list;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i == most_told) return list + fmt::format("{}{} more", last, texts.size() - i);
    if (i > 0) list += i + 1 == texts.size() ? last : between;
    list += texts[i];
  }
  return list;
}

std::string owner(const Lookup& lookup) {
  return fmt::format("{} records of {}", name(lookup.question.type),
                     printable(lookup.question.name));
}

// "NAPTR records of example.org and SRV records of _turn._udp.example.org"; empty: none
// came to this.
std::string with(const std::vector<Lookup>& lookups, std::string_view last,
                 std::initializer_list<DnsAnswer::Outcome> outcomes) {
  Texts texts;
  for (const auto& one : lookups) {
    if (std::ranges::find(outcomes, one.outcome) != outcomes.end()) texts.push_back(owner(one));
  }
  return listed(texts, ", ", last);
}

// What has no records is told in one sentence, however much was asked.
void tell_lookups(const std::vector<Lookup>& lookups, std::vector<Step>& steps) {
  for (const auto& one : lookups) {
    if (one.outcome != DnsAnswer::Outcome::found) continue;
    steps.push_back(
        {"records", Verdict::works,
         fmt::format("The {}{}: {}.", owner(one), one.records.size() > 1 ? ", in their order" : "",
                     listed(one.records, "; ", "; and "))});
  }
  if (const auto none =
          with(lookups, " or ", {DnsAnswer::Outcome::none, DnsAnswer::Outcome::no_name});
      !none.empty()) {
    steps.push_back({"records", Verdict::works, "There are no " + none + "."});
  }
  if (const auto silent = with(lookups, " and ", {DnsAnswer::Outcome::silent}); !silent.empty()) {
    steps.push_back({"records", Verdict::skipped,
                     "No DNS server of this machine's answered the questions for " + silent +
                         ": what they say is not known here."});
  }
  const auto refused =
      with(lookups, " and ", {DnsAnswer::Outcome::refused, DnsAnswer::Outcome::malformed});
  if (!refused.empty()) {
    steps.push_back({"records", Verdict::attention,
                     "The DNS server has no proper answer to the questions for " + refused +
                         ": look at the name servers of the domain."});
  }
}

std::pair<Verdict, std::string> judge(const Remark& remark) {
  const auto name = printable(remark.name);
  switch (remark.kind) {
    case Remark::Kind::loop:
      return {Verdict::failed, "The NAPTR records lead in a circle back to " + name +
                                   ": let them end at SRV records (flag S) or a host (flag A)."};
    case Remark::Kind::dead_end:
      return {Verdict::failed, "A NAPTR record leads to " + name +
                                   ", which does not have the records that it promises: add "
                                   "them, or correct the NAPTR record."};
    case Remark::Kind::not_offered:
      return {Verdict::works,
              "The target \".\" of " + name + " says that there is no such service."};
    case Remark::Kind::unusable:
      return {Verdict::attention,
              name +
                  " has a record that no client can use: a NAPTR record needs the flag S, A or "
                  "none, a replacement and no regular expression, an SRV record a target and a "
                  "port."};
    case Remark::Kind::too_many_records:
      return {Verdict::attention,
              fmt::format("{} has more than {} records of a type: the others were not looked at.",
                          name, client::most_records)};
    case Remark::Kind::too_many_questions:
      return {Verdict::failed, fmt::format("The NAPTR records lead on and on: after {} questions "
                                           "to the DNS no more were asked.",
                                           client::most_questions)};
    case Remark::Kind::too_many_targets:
      return {Verdict::attention, fmt::format("The records name more than {} servers: the others "
                                              "were passed over.",
                                              client::most_targets)};
  }
  return {};
}

std::string text_of(const client::Target& target) {
  return fmt::format("{} to {} port {}", spoken(target.transport), printable(target.host),
                     target.port);
}

}  // namespace

Lookup lookup_of(const client::DnsQuestion& question, const client::DnsAnswer& answer) {
  Lookup lookup{question, answer.outcome, {}};
  auto naptr = answer.naptr;
  auto srv = answer.srv;
  std::ranges::sort(naptr);
  std::ranges::sort(srv);
  for (const auto& one : naptr) lookup.records.push_back(text_of(one));
  for (const auto& one : srv) lookup.records.push_back(text_of(one));
  if (lookup.records.size() > client::most_records) lookup.records.resize(client::most_records);
  return lookup;
}

std::vector<Step> steps_of(const std::vector<Lookup>& lookups, const client::Plan& plan) {
  std::vector<Step> steps;
  if (lookups.empty()) return steps;
  tell_lookups(lookups, steps);
  for (const auto& remark : plan.remarks) {
    auto [verdict, sentence] = judge(remark);
    steps.push_back({"records", verdict, std::move(sentence)});
  }
  if (plan.targets.empty()) {
    steps.push_back({"order", Verdict::failed, "The records lead to no server for this URI."});
    return steps;
  }
  const auto found = [](const Lookup& one) { return one.outcome == DnsAnswer::Outcome::found; };
  const std::string_view browsers =
      std::ranges::any_of(lookups, found)
          ? " Browsers do not look at these records: to try what they do, name the port in the URI."
          : "";
  Texts order;
  for (const auto& one : plan.targets) order.push_back(text_of(one));
  steps.push_back({"order", Verdict::works,
                   "Clients try, in this order: " + listed(order, ", ", ", then ") + "." +
                       std::string{browsers}});
  return steps;
}

}  // namespace yuelao::probe

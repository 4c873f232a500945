#include "server/probe/dns.hpp"

#include <ares.h>
#include <arpa/nameser.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <span>

#include "protocol/client/resolution.hpp"
#include "server/probe/waiting.hpp"

namespace yuelao::probe {
namespace {

using namespace std::chrono_literals;
using client::DnsAnswer;
using client::DnsQuestion;

// Before a question is sent again, to the next server where there are several.
constexpr auto first_timeout = 800ms;
constexpr int transmissions = 3;

std::string text_of(const unsigned char* text) { return reinterpret_cast<const char*>(text); }

client::NaptrRecord record_of(const ares_naptr_reply& reply) {
  return {reply.order,           reply.preference,
          text_of(reply.flags),  text_of(reply.service),
          text_of(reply.regexp), client::canonical(reply.replacement)};
}

client::SrvRecord record_of(const ares_srv_reply& reply) {
  return {reply.priority, reply.weight, reply.port, client::canonical(reply.host)};
}

DnsAnswer::Outcome outcome_of(int status) {
  switch (status) {
    case ARES_SUCCESS:
      return DnsAnswer::Outcome::found;
    case ARES_ENODATA:
      return DnsAnswer::Outcome::none;
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
      return DnsAnswer::Outcome::no_name;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ENOTIMP:
    case ARES_EFORMERR:
      return DnsAnswer::Outcome::refused;
    case ARES_EBADRESP:
      return DnsAnswer::Outcome::malformed;
    default:  // ARES_ETIMEOUT, ARES_ECONNREFUSED, and ARES_EDESTRUCTION at the deadline
      return DnsAnswer::Outcome::silent;
  }
}

// Puts the records of a reply into `records`; `parse` is c-ares' function for their type.
template <typename Reply, typename Record>
DnsAnswer::Outcome read(std::span<const unsigned char> reply, std::vector<Record>& records,
                        int (*parse)(const unsigned char*, int, Reply**)) {
  Reply* first = nullptr;
  const int status = parse(reply.data(), static_cast<int>(reply.size()), &first);
  const std::unique_ptr<Reply, void (*)(void*)> owner{first, ares_free_data};
  if (status != ARES_SUCCESS) return outcome_of(status);
  for (const Reply* one = first; one; one = one->next) records.push_back(record_of(*one));
  // One more than count, which shows that there were others.
  std::ranges::sort(records);
  if (records.size() > client::most_records) records.resize(client::most_records + 1);
  // An alias whose target has no such record is a success as well.
  return records.empty() ? DnsAnswer::Outcome::none : DnsAnswer::Outcome::found;
}

// A question on its way. c-ares calls back before it returns, or while it is being waited for.
struct Pending {
  DnsQuestion question;
  DnsAnswer answer;
  int status = ARES_SUCCESS;
  bool done = false;

  static void on_reply(void* self, int status, int, unsigned char* reply, int size) {
    auto& pending = *static_cast<Pending*>(self);
    auto& answer = pending.answer;
    pending.status = status;
    pending.done = true;
    answer.outcome = outcome_of(status);
    if (status != ARES_SUCCESS) return;
    const std::span<const unsigned char> octets{reply, static_cast<std::size_t>(size)};
    answer.outcome = pending.question.type == DnsQuestion::Type::naptr
                         ? read(octets, answer.naptr, ares_parse_naptr_reply)
                         : read(octets, answer.srv, ares_parse_srv_reply);
  }
};

timeval timeval_of(std::chrono::microseconds duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  return {.tv_sec = seconds.count(), .tv_usec = (duration - seconds).count()};
}

// Until c-ares' own next deadline, or ours where that is earlier.
int milliseconds_to_wait(ares_channel channel, SteadyTime deadline) {
  const auto left = std::chrono::ceil<std::chrono::microseconds>(deadline - steady_now());
  timeval most = timeval_of(std::max(left, 0us));
  timeval room{};
  const timeval* wait = ares_timeout(channel, &most, &room);
  return static_cast<int>(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1);
}

void wait_once(ares_channel channel, SteadyTime deadline) {
  std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
  const int wishes = ares_getsock(channel, sockets.data(), ARES_GETSOCK_MAXNUM);
  std::vector<pollfd> waiting;
  for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
    short events = 0;
    if (ARES_GETSOCK_READABLE(wishes, i)) events |= POLLIN;
    if (ARES_GETSOCK_WRITABLE(wishes, i)) events |= POLLOUT;
    if (events == 0) continue;
    waiting.push_back({.fd = sockets[static_cast<std::size_t>(i)], .events = events, .revents = 0});
  }
  ::poll(waiting.data(), waiting.size(), milliseconds_to_wait(channel, deadline));
  for (const auto& one : waiting) {
    const bool failed = (one.revents & (POLLERR | POLLHUP)) != 0;
    const bool readable = (one.revents & POLLIN) != 0 || failed;
    const bool writable = (one.revents & POLLOUT) != 0;
    ares_process_fd(channel, readable ? one.fd : ARES_SOCKET_BAD,
                    writable ? one.fd : ARES_SOCKET_BAD);
  }
  ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what has timed out
}

// Asks what is not done yet, which it leaves as it is where c-ares cannot begin.
void exchange(std::vector<Pending>& asked, int flags, SteadyTime deadline) {
  ares_options options{};
  options.flags = flags;
  options.timeout = static_cast<int>(first_timeout.count());
  options.tries = transmissions;
  ares_channel channel = nullptr;
  const int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
  if (ares_init_options(&channel, &options, given) != ARES_SUCCESS) return;
  for (auto& one : asked) {
    if (one.done) continue;
    const int type = one.question.type == DnsQuestion::Type::naptr ? ns_t_naptr : ns_t_srv;
    ares_query(channel, one.question.name.c_str(), ns_c_in, type, Pending::on_reply, &one);
  }
  while (!std::ranges::all_of(asked, &Pending::done) && steady_now() < deadline) {
    wait_once(channel, deadline);
  }
  ares_destroy(channel);  // tells what is left that it has ended
}

}  // namespace

client::DnsAnswers ask(const std::vector<DnsQuestion>& questions, SteadyTime deadline) {
  std::vector<Pending> asked;
  asked.reserve(questions.size());
  for (const auto& question : questions) {
    asked.push_back({.question = question, .answer = {DnsAnswer::Outcome::silent, {}, {}}});
  }
  if (steady_now() < deadline && ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS) {
    exchange(asked, 0, deadline);
    // After the last server has refused to answer, c-ares 1.18 says that none was there. Only
    // a second time, and then of the first one, does it tell the two apart.
    for (auto& one : asked) one.done = one.status != ARES_ECONNREFUSED;
    if (!std::ranges::all_of(asked, &Pending::done))
      exchange(asked, ARES_FLAG_NOCHECKRESP, deadline);
    ares_library_cleanup();
  }
  client::DnsAnswers answers;
  for (auto& one : asked) answers.emplace(std::move(one.question), std::move(one.answer));
  return answers;
}

}  // namespace yuelao::probe

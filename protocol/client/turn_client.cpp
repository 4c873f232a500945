#include "protocol/client/turn_client.hpp"

#include <cassert>
#include <utility>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/error_code.hpp"
#include "protocol/stun/message_writer.hpp"

namespace yuelao::client {
namespace {

namespace attribute = stun::attribute;
using stun::Class;
using stun::ErrorCode;
using stun::Message;
using stun::Method;
using Reason = Failure::Reason;

constexpr std::uint8_t tcp_protocol = 6;
constexpr std::uint8_t udp_protocol = 17;

// A server that calls every nonce stale, or every realm a new one, is not asked for ever.
constexpr unsigned most_challenges = 3;

struct MethodOf {
  Method operator()(const Binding&) const { return Method::binding; }
  Method operator()(const Allocate&) const { return Method::allocate; }
  Method operator()(const CreatePermission&) const { return Method::create_permission; }
  Method operator()(const ChannelBind&) const { return Method::channel_bind; }
  Method operator()(const Refresh&) const { return Method::refresh; }
};

struct AddAttributes {
  stun::MessageWriter& writer;

  void operator()(const Binding& binding) const {
    if (binding.change != stun::ChangeRequest{}) {
      writer.add(attribute::change_request, binding.change);
    }
  }
  void operator()(const Allocate& allocate) const {
    writer.add(attribute::requested_transport, allocate.for_tcp ? tcp_protocol : udp_protocol);
    if (allocate.family) writer.add(attribute::requested_address_family, *allocate.family);
    // There is no other that it may be (RFC 8656 §7.1).
    if (allocate.both_families) writer.add(attribute::additional_address_family, Family::ipv6);
    if (allocate.even_port) writer.add(attribute::even_port, *allocate.even_port);
    if (allocate.dont_fragment) writer.add(attribute::dont_fragment, {});
    if (allocate.wants_ticket) writer.add(attribute::mobility_ticket, Bytes{});
  }
  void operator()(const CreatePermission& permission) const {
    writer.add(attribute::xor_peer_address, permission.peer);
  }
  void operator()(const ChannelBind& bind) const {
    writer.add(attribute::channel_number, bind.channel).add(attribute::xor_peer_address, bind.peer);
  }
  void operator()(const Refresh& refresh) const {
    writer.add(attribute::lifetime, refresh.lifetime);
  }
};

std::uint16_t code_of(const Message& response) {
  const auto error = response.get(attribute::error_code);
  return error ? error->code : std::uint16_t{0};
}

bool is(std::uint16_t code, ErrorCode error) { return code == static_cast<std::uint16_t>(error); }

bool challenges(const Message& response) {
  const auto code = code_of(response);
  return is(code, ErrorCode::unauthenticated) || is(code, ErrorCode::stale_nonce);
}

Failure failure(Reason reason) {
  Failure failed;
  failed.reason = reason;
  return failed;
}

Failure refusal(const Message& response) {
  const auto error = response.get(attribute::error_code);
  if (!error) return failure(Reason::malformed);
  Failure refused = failure(Reason::refused);
  refused.code = error->code;
  refused.phrase = error->reason;
  // RFC 5389 servers wrote it plainly, and so does RFC 8489 §14.15.
  if (const auto alternate = response.get(attribute::alternate_server)) {
    refused.alternate = *alternate;
  }
  return refused;
}

// RFC 8489 §6.3.3 and §6.3.4: a response with a comprehension-required attribute that the
// client does not know is a failure. Those of RFC 3489's servers are known, and ignored (RFC
// 5389 §12.1).
bool understood(const Message& response) {
  static constexpr std::array known{attribute::mapped_address.type,
                                    attribute::response_address.type,
                                    attribute::source_address.type,
                                    attribute::changed_address.type,
                                    attribute::reflected_from.type,
                                    attribute::error_code.type,
                                    attribute::unknown_attributes.type,
                                    attribute::xor_mapped_address.type,
                                    attribute::username.type,
                                    attribute::realm.type,
                                    attribute::nonce.type,
                                    attribute::message_integrity.type,
                                    attribute::xor_relayed_address.type,
                                    attribute::lifetime.type,
                                    attribute::reservation_token.type,
                                    attribute::message_integrity_sha256.type,
                                    attribute::password_algorithm.type,
                                    attribute::requested_address_family.type,
                                    attribute::channel_number.type,
                                    attribute::xor_peer_address.type};
  return stun::unknown_required(response, known).empty();
}

// A dual allocation's answer has two relays.
std::optional<Endpoint> second_relayed(const Message& response) {
  std::optional<Endpoint> last;
  unsigned count = 0;
  response.for_each([&](stun::AttributeType type, Bytes value) {
    if (type != attribute::xor_relayed_address.type) return;
    ++count;
    last = stun::XorAddressCodec::decode(value, response.transaction_id().cookie_and_id());
  });
  return count == 2 ? last : std::nullopt;
}

std::expected<Granted, Failure> read_grant(const Request& request, const Message& response) {
  Granted granted;
  if (const auto plain = response.get(attribute::mapped_address)) granted.plain = *plain;
  granted.mapped = granted.plain;
  if (const auto mapped = response.get(attribute::xor_mapped_address)) granted.mapped = *mapped;
  if (const auto relayed = response.get(attribute::xor_relayed_address)) {
    granted.relayed = *relayed;
  }
  granted.second_relayed = second_relayed(response);
  if (const auto refused = response.get(attribute::address_error_code)) {
    granted.second_refused = refused->code;
  }
  granted.reserved = response.get(attribute::reservation_token).has_value();
  granted.mobile = response.has(attribute::mobility_ticket.type);
  if (const auto other = response.get(attribute::other_address)) granted.other = *other;
  granted.lifetime = response.get(attribute::lifetime).value_or(std::chrono::seconds{0});
  granted.software = response.get(attribute::software).value_or(std::string_view{});
  const bool whole = understood(response) &&
                     (!std::holds_alternative<Binding>(request) || granted.mapped.has_value()) &&
                     (!std::holds_alternative<Allocate>(request) || granted.relayed.has_value());
  if (!whole) return std::unexpected{failure(Reason::malformed)};
  return granted;
}

}  // namespace

TurnClient::TurnClient(Carrier carrier, std::optional<Credentials> credentials,
                       const Schedule& schedule, Random& random)
    : carrier_{carrier},
      credentials_{std::move(credentials)},
      schedule_{schedule},
      random_{random} {}

void TurnClient::start(const Request& request, SteadyTime now) {
  assert(!pending_);
  pending_.emplace();
  pending_->request = request;
  transmit(now);
}

// RFC 8489 §6.2.1: every transmission but the last waits twice as long as the one before.
// A stream repeats nothing, and waits as long in all (§6.2.2).
SteadyTime::duration TurnClient::timeout(unsigned transmission) const {
  const auto rto = schedule_.first_timeout;
  const auto last = rto * schedule_.last_timeout_factor;
  if (carrier_ == Carrier::stream) return rto * ((1U << (schedule_.transmissions - 1)) - 1) + last;
  return transmission >= schedule_.transmissions ? last : rto * (1U << (transmission - 1));
}

// A new transaction with the request under way, signed where there is a challenge to
// answer. A request never outgrows the buffer: what a server makes us repeat is bounded.
void TurnClient::transmit(SteadyTime now) {
  std::array<std::byte, 12> id{};
  random_.fill(id);
  pending_->id = stun::TransactionId::from_random(id);
  stun::MessageWriter writer{buffer_, std::visit(MethodOf{}, pending_->request), Class::request,
                             pending_->id};
  std::visit(AddAttributes{writer}, pending_->request);
  pending_->is_signed = challenge_ && !std::holds_alternative<Binding>(pending_->request);
  if (pending_->is_signed) challenge_->sign(writer);
  pending_->size = writer.add_fingerprint().finish().size();
  pending_->due = true;
  pending_->transmissions = 1;
  pending_->began = now;
  pending_->next = now + timeout(1);
}

Bytes TurnClient::take_transmission() {
  if (!pending_ || !std::exchange(pending_->due, false)) return {};
  return Bytes{buffer_}.first(pending_->size);
}

std::optional<SteadyTime> TurnClient::deadline() const {
  return pending_ ? std::optional{pending_->next} : std::nullopt;
}

std::optional<Outcome> TurnClient::advance(SteadyTime now) {
  if (!pending_ || now < pending_->next) return std::nullopt;
  const bool given_up =
      carrier_ == Carrier::stream || pending_->transmissions >= schedule_.transmissions;
  if (!given_up) {
    ++pending_->transmissions;
    pending_->due = true;
    pending_->next = now + timeout(pending_->transmissions);
    return std::nullopt;
  }
  // RFC 8489 §9.2.5: where answers came and none counted, that is what there is to say.
  Failure failed = failure(pending_->discarded ? Reason::unsigned_answer : Reason::silent);
  failed.code = pending_->discarded.value_or(0);
  return finish(std::unexpected{std::move(failed)}, now);
}

Event TurnClient::on_message(Bytes message, SteadyTime now) {
  if (const auto relayed = read_relayed(message)) return *relayed;
  const auto response = Message::parse(message);
  if (!pending_ || !response || response->transaction_id() != pending_->id ||
      response->method() != std::visit(MethodOf{}, pending_->request)) {
    return {};
  }
  auto outcome = judge(*response, now);
  return outcome ? Event{*std::move(outcome)} : Event{};
}

// RFC 8489 §9.2.5 in its order.
std::optional<Outcome> TurnClient::judge(const Message& response, SteadyTime now) {
  if (bid_down(response) && !challenges(response)) return discard(code_of(response), now);
  if (response.message_class() == Class::error) return judge_error(response, now);
  if (response.message_class() != Class::success) return std::nullopt;
  if (pending_->is_signed && !challenge_->verifies(response)) return discard(0, now);
  return finish(read_grant(pending_->request, response), now);
}

std::optional<Outcome> TurnClient::judge_error(const Message& response, SteadyTime now) {
  const auto code = code_of(response);
  const bool binding = std::holds_alternative<Binding>(pending_->request);
  if (!binding && is(code, ErrorCode::unauthenticated) && !pending_->is_signed) {
    return answer_challenge(response, now);
  }
  if (pending_->is_signed && is(code, ErrorCode::stale_nonce)) {
    return answer_challenge(response, now);
  }
  // A second 401: the credentials are wrong, and trying them again would not change that.
  const bool to_be_signed = pending_->is_signed && !is(code, ErrorCode::unauthenticated);
  if (to_be_signed && !challenge_->verifies(response)) return discard(code, now);
  return finish(std::unexpected{refusal(response)}, now);
}

std::optional<Outcome> TurnClient::answer_challenge(const Message& response, SteadyTime now) {
  if (!understood(response)) return finish(std::unexpected{failure(Reason::malformed)}, now);
  if (!credentials_) return finish(std::unexpected{failure(Reason::no_credentials)}, now);
  if (++pending_->challenges > most_challenges) {
    return finish(std::unexpected{refusal(response)}, now);
  }
  auto challenge = Challenge::from(response, *credentials_);
  if (!challenge) {
    Failure failed = failure(Reason::bad_challenge);
    failed.challenge = challenge.error();
    return finish(std::unexpected{std::move(failed)}, now);
  }
  challenge_ = *std::move(challenge);
  transmit(now);
  return std::nullopt;
}

// RFC 8489 §9.2.5: as if never received, so that nobody on the path can end a transaction
// by answering first. Over a stream nothing else will come.
std::optional<Outcome> TurnClient::discard(std::uint16_t code, SteadyTime now) {
  pending_->discarded = code;
  if (carrier_ == Carrier::datagrams) return std::nullopt;
  Failure failed = failure(Reason::unsigned_answer);
  failed.code = code;
  return finish(std::unexpected{std::move(failed)}, now);
}

Outcome TurnClient::finish(std::expected<Granted, Failure> result, SteadyTime now) {
  Outcome outcome{std::move(result), now - pending_->began, pending_->transmissions};
  pending_.reset();
  return outcome;
}

}  // namespace yuelao::client

#include "tests/bench/turn_client.hpp"

#include <array>
#include <chrono>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/message_writer.hpp"
#include "tests/bench/hello.hpp"

namespace yuelao::bench {
namespace {

using Stage = TurnClient::Stage;

constexpr std::uint8_t udp_protocol = 17;

stun::Method method(Stage stage) {
  switch (stage) {
    case Stage::permit:
      return stun::Method::create_permission;
    case Stage::bind:
      return stun::Method::channel_bind;
    case Stage::release:
      return stun::Method::refresh;
    default:
      return stun::Method::allocate;
  }
}

// A Send indication needs no channel.
Stage after(Stage stage, Envelope envelope) {
  if (stage == Stage::permit && envelope == Envelope::indication) return Stage::ready;
  return static_cast<Stage>(static_cast<std::uint8_t>(stage) + 1);
}

}  // namespace

TurnClient::TurnClient(std::uint32_t number, const Account& account, Envelope envelope)
    : number_{number}, account_{account}, envelope_{envelope} {}

void TurnClient::enter(Stage stage) {
  stage_ = stage;
  ++transaction_;
}

stun::TransactionId TurnClient::transaction_id() const {
  std::array<std::byte, 12> octets{};
  store_u32(octets, number_);
  store_u32(MutableBytes{octets}.subspan(4), transaction_);
  return stun::TransactionId::from_random(octets);
}

Bytes TurnClient::request(MutableBytes out) const {
  if (envelope_ == Envelope::bare) return write_hello(peer_, out);
  namespace attribute = stun::attribute;
  stun::MessageWriter writer{out, method(stage_), stun::Class::request, transaction_id()};
  if (stage_ == Stage::challenge || stage_ == Stage::allocate)
    writer.add(attribute::requested_transport, udp_protocol);
  if (stage_ == Stage::permit || stage_ == Stage::bind)
    writer.add(attribute::xor_peer_address, peer_);
  if (stage_ == Stage::bind)
    writer.add(attribute::channel_number, *stun::ChannelNumber::from(channel));
  if (stage_ == Stage::release) writer.add(attribute::lifetime, std::chrono::seconds{0});
  if (stage_ == Stage::challenge) return writer.finish();
  return writer.add(attribute::username, account_.user)
      .add(attribute::realm, std::string_view{realm_})
      .add(attribute::nonce, std::string_view{nonce_})
      .add_integrity(key_)
      .finish();
}

TurnClient::Progress TurnClient::on_message(Bytes message) {
  if (envelope_ == Envelope::bare) {
    const auto relayed = read_hello(message);
    if (!relayed) return Progress::none;
    relayed_ = *relayed;
    stage_ = Stage::ready;
    return Progress::advanced;
  }
  const auto response = stun::Message::parse(message);
  if (!response || response->transaction_id() != transaction_id()) return Progress::none;
  if (response->message_class() == stun::Class::error) return on_error(*response);
  if (response->message_class() != stun::Class::success) return Progress::none;
  if (stage_ == Stage::allocate) {
    const auto relayed = response->get(stun::attribute::xor_relayed_address);
    if (!relayed) return Progress::refused;
    relayed_ = *relayed;
  }
  enter(after(stage_, envelope_));
  return Progress::advanced;
}

TurnClient::Progress TurnClient::on_error(const stun::Message& response) {
  const auto error = response.get(stun::attribute::error_code);
  refusal_ = error ? error->code : std::uint16_t{0};
  const bool challenged =
      stage_ == Stage::challenge && refusal_ == static_cast<int>(stun::ErrorCode::unauthenticated);
  const bool stale = refusal_ == static_cast<int>(stun::ErrorCode::stale_nonce);
  if ((!challenged && !stale) || !learn_challenge(response)) return Progress::refused;
  // RFC 8489 §9.2.5: the same request again, with what the challenge said.
  enter(challenged ? Stage::allocate : stage_);
  return Progress::advanced;
}

bool TurnClient::learn_challenge(const stun::Message& response) {
  const auto realm = response.get(stun::attribute::realm);
  const auto nonce = response.get(stun::attribute::nonce);
  if (!realm || !nonce) return false;
  realm_ = *realm;
  nonce_ = *nonce;
  const auto key = stun::long_term_key(account_.user, realm_, account_.password);
  key_.assign(key.begin(), key.end());
  return true;
}

}  // namespace yuelao::bench

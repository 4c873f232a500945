#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "fuzz/engine_world.hpp"
#include "fuzz/known_types.hpp"
#include "fuzz/script.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/stun/security_features.hpp"
#include "protocol/turn/authentication.hpp"
#include "protocol/turn/nonce.hpp"
#include "protocol/turn/reservations.hpp"

// Parts of the requests that the engine's fuzzer writes.
namespace yuelao::turn {

// What may be right by accident, and is signed.
inline void add_anything(stun::MessageWriter& writer, const stun::LongTermKey& key,
                         fuzz::Script& script) {
  namespace attribute = stun::attribute;
  const auto maybe = [&](stun::AttributeType type) {
    if (script.choose(2) == 0) {
      writer.add(stun::Attribute<Bytes>{type}, script.take(script.choose(36)));
    }
  };
  maybe(attribute::password_algorithms.type);
  maybe(attribute::password_algorithm.type);
  maybe(attribute::userhash.type);
  maybe(attribute::message_integrity.type);
  maybe(attribute::message_integrity_sha256.type);
  writer.add_integrity_sha256(key.bytes(), 16 + 4 * script.choose(5));
}

struct Signature {
  stun::LongTermKey key;
  bool sha256;
};

struct Signer {
  const Options& options;
  std::string_view user;
  const Endpoint& client;
  WallTime now;
};

// In every way that RFC 8489 §9.2 knows, and now and then in none: nothing then.
inline std::optional<Signature> sign(stun::MessageWriter& writer, const Signer& signer,
                                     fuzz::Script& script) {
  namespace attribute = stun::attribute;
  const auto& [options, user, client, now] = signer;
  const auto nonce = NonceSigner{options.nonce_key, options.realm, options.nonce_lifetime}.make(
      client, {.password_algorithms = script.choose(8) != 7, .user_anonymity = true}, now);
  const auto algorithm =
      script.choose(2) == 0 ? stun::KeyAlgorithm::md5 : stun::KeyAlgorithm::sha256;
  const auto way = script.choose(6);
  if (script.choose(2) == 0) {
    writer.add(attribute::username, user);
  } else {
    writer.add(attribute::userhash, stun::user_hash(user, options.realm));
  }
  const std::string_view text{nonce.data(), nonce.size()};
  writer.add(attribute::realm, std::string_view{options.realm}).add(attribute::nonce, text);
  const std::string_view password = user == "alice" ? "wonderland" : "builder";
  if (way == 5) {
    add_anything(writer, {algorithm, user, options.realm, password}, script);
    return std::nullopt;
  }
  const bool chosen = way < 3 && stun::security_features_of(text).password_algorithms;
  const stun::LongTermKey key{chosen ? algorithm : stun::KeyAlgorithm::md5, user, options.realm,
                              password};
  if (chosen) {
    writer
        .add(stun::Attribute<Bytes>{attribute::password_algorithms.type},
             Authentication::offered_algorithms())
        .add(attribute::password_algorithm, {static_cast<std::uint16_t>(algorithm), {}});
  }
  if (way != 1) writer.add_integrity(key.bytes());
  if (way <= 1 || way == 3) writer.add_integrity_sha256(key.bytes());
  return Signature{key, chosen};
}

// Combinations that are refused too.
inline void add_wishes(stun::MessageWriter& writer, const std::vector<ReservationToken>& tokens,
                       fuzz::Script& script) {
  namespace attribute = stun::attribute;
  const auto wishes = script.choose(64);
  writer.add(attribute::requested_transport,
             static_cast<std::uint8_t>((wishes & 16U) != 0 ? 6 : 17));
  if ((wishes & 1U) != 0) {
    writer.add(attribute::requested_address_family, families.at(script.choose(2)));
  }
  if ((wishes & 2U) != 0) writer.add(attribute::additional_address_family, Family::ipv6);
  if ((wishes & 4U) != 0) writer.add(attribute::even_port, {script.choose(2) == 0});
  if ((wishes & 32U) != 0) writer.add(attribute::mobility_ticket, Bytes{});
  if ((wishes & 8U) != 0 && !tokens.empty()) {
    const auto newest = tokens.size() - 1 - script.choose(4) % tokens.size();
    writer.add(attribute::reservation_token, tokens.at(newest));
  }
}

// What a message asks to be relayed; empty where that is not to be seen.
inline Bytes payload_of(Bytes message) {
  if (message.size() < 4) return {};
  if (std::to_integer<unsigned>(message[0]) >= 4) {
    return message.subspan(4,
                           std::min<std::size_t>(load_u16(message.subspan(2)), message.size() - 4));
  }
  const auto parsed = stun::Message::parse(message);
  return parsed ? parsed->value_of(stun::attribute::data.type).value_or(Bytes{}) : Bytes{};
}

// An IPv4 address in IPv6's clothes, as no writer of ours would spell it.
inline std::array<std::byte, 20> spelt_as_mapped(const Endpoint& peer, Bytes id) {
  std::array<std::byte, 20> value{};
  store_u16(value, 2);  // IPv6
  store_u16(MutableBytes{value}.subspan(2), peer.port);
  value[14] = value[15] = std::byte{0xFF};
  std::ranges::copy(std::as_bytes(peer.address.octets()).first(4), value.begin() + 16);
  // RFC 8489 §14.2.
  std::array<std::byte, 16> mask{std::byte{0x21}, std::byte{0x12}, std::byte{0xA4},
                                 std::byte{0x42}};
  std::ranges::copy(id, mask.begin() + 4);
  for (std::size_t i = 0; i < mask.size(); ++i) value[i + 4] ^= mask[i];
  value[2] ^= mask[0];
  value[3] ^= mask[1];
  return value;
}

// Up to seven attributes of known types, of which some mean something.
inline void add_any_attributes(stun::MessageWriter& writer, Bytes id, fuzz::Script& script) {
  namespace attribute = stun::attribute;
  const auto& types = fuzz::known_types();
  for (auto count = script.choose(8); count > 0; --count) {
    const auto& peer = peers.at(script.choose(peers.size()));
    switch (script.choose(8)) {
      case 0:
        writer.add(attribute::xor_peer_address, peer);
        break;
      case 1:
        if (peer.address.family() != Family::ipv4) break;
        writer.add(stun::Attribute<Bytes>{attribute::xor_peer_address.type},
                   spelt_as_mapped(peer, id));
        break;
      case 2:
        writer.add(attribute::channel_number, stun::ChannelNumber::from(0x4000).value());
        break;
      case 3:
        writer.add(attribute::requested_transport, std::uint8_t{17});
        break;
      case 4:
        writer.add(attribute::lifetime, std::chrono::seconds{script.choose(3)});
        break;
      default:
        writer.add(
            stun::Attribute<Bytes>{types.at(script.choose(static_cast<unsigned>(types.size())))},
            script.take(script.choose(36)));
    }
  }
}

}  // namespace yuelao::turn

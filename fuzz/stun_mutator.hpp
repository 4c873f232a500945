#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <span>
#include <vector>

#include "fuzz/known_types.hpp"
#include "protocol/bytes.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/integrity.hpp"
#include "protocol/stun/message.hpp"

// libFuzzer's own: changes the octets in place, and says how many they are then.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

// Changes STUN messages as messages: by attribute, with lengths, HMACs and CRC that are right again
// afterwards, so that what is new about one is not lost to the first check.
namespace yuelao::fuzz {

// What mutated messages are signed with.
inline const Bytes mutator_key = as_bytes("key");

// Of a message that need not be one: a header and attributes as far as they go.
class LooseMessage {
 public:
  struct Part {
    std::uint16_t type = 0;
    std::vector<std::byte> value;
  };

  explicit LooseMessage(Bytes octets) {
    std::ranges::copy(octets.first(std::min(octets.size(), header.size())), header.begin());
    for (std::size_t at = header.size(); at + 4 <= octets.size();) {
      const auto left = octets.subspan(at + 4);
      const auto size = std::min<std::size_t>(load_u16(octets.subspan(at + 2)), left.size());
      parts.push_back(
          {load_u16(octets.subspan(at)), {left.begin(), left.begin() + difference(size)}});
      at += 4 + size + padding_to_four(size);
    }
  }

  // Whatever `parts` say of integrity is made true, where their sizes allow.
  std::vector<std::byte> signed_octets() const {
    std::vector<std::byte> out{header.begin(), header.end()};
    for (const auto& part : parts) {
      const std::vector<std::byte> covered = out;
      const auto value = append(out, part);
      sign(part.type, covered, value);
    }
    return out;
  }
  std::vector<std::byte> octets() const {
    std::vector<std::byte> out{header.begin(), header.end()};
    for (const auto& part : parts) append(out, part);
    return out;
  }

  std::array<std::byte, stun::header_bytes> header{};
  std::vector<Part> parts;

 private:
  static std::ptrdiff_t difference(std::size_t size) { return static_cast<std::ptrdiff_t>(size); }

  // The place of its value; the header's length ends behind it (RFC 8489 §14.5).
  static MutableBytes append(std::vector<std::byte>& out, const Part& part) {
    const auto at = out.size();
    const auto size = part.value.size();
    out.resize(at + 4 + size + padding_to_four(size));
    const MutableBytes all{out};
    store_u16(all.subspan(at), part.type);
    store_u16(all.subspan(at + 2), static_cast<std::uint16_t>(size));
    std::ranges::copy(part.value, out.begin() + difference(at + 4));
    store_u16(all.subspan(2), static_cast<std::uint16_t>(out.size() - stun::header_bytes));
    return all.subspan(at + 4, size);
  }

  static void sign(std::uint16_t type, std::vector<std::byte> covered, MutableBytes value) {
    const auto written = covered.size() - stun::header_bytes + 4 + value.size();
    store_u16(MutableBytes{covered}.subspan(2), static_cast<std::uint16_t>(written));
    if (type == stun::attribute::message_integrity.type.value && value.size() == 20) {
      std::ranges::copy(stun::hmac_sha1(mutator_key, covered), value.begin());
    }
    if (type == stun::attribute::message_integrity_sha256.type.value && value.size() <= 32) {
      const auto hmac = stun::hmac_sha256(mutator_key, covered);
      std::ranges::copy(Bytes{hmac}.first(value.size()), value.begin());
    }
    if (type == stun::attribute::fingerprint.type.value && value.size() == 4) {
      store_u32(value, stun::fingerprint(covered));
    }
  }
};

class StunMutator {
 public:
  explicit StunMutator(unsigned seed) : random_{seed} {}

  void change(LooseMessage& message) {
    for (auto count = 1 + choose(3); count > 0; --count) change_once(message);
  }
  unsigned choose(std::size_t count) {
    return static_cast<unsigned>(random_() % std::max<std::size_t>(count, 1));
  }
  // What the other one has, put in somewhere.
  void join(LooseMessage& message, const LooseMessage& other) {
    if (other.parts.empty()) return;
    const auto from = choose(other.parts.size());
    const auto count = 1 + choose(other.parts.size() - from);
    const auto first = other.parts.begin() + from;
    message.parts.insert(place(message), first, first + count);
  }

 private:
  using Part = LooseMessage::Part;

  void change_once(LooseMessage& message) {
    auto& parts = message.parts;
    const bool empty = parts.empty();
    switch (empty ? choose(3) : choose(11)) {
      case 0:
        return change_header(message);
      case 1:
      case 2:
        parts.insert(place(message), any_part());
        return;
      case 3:
        parts.erase(parts.begin() + choose(parts.size()));
        return;
      case 4:
        parts.insert(place(message), Part{parts[choose(parts.size())]});
        return;
      case 5:
        std::swap(parts[choose(parts.size())], parts[choose(parts.size())]);
        return;
      case 6:
        parts[choose(parts.size())].type = any_type();
        return;
      case 7:
        return resize(parts[choose(parts.size())]);
      case 8:
        return seal(message);
      default:
        return change_value(parts[choose(parts.size())]);
    }
  }

  std::vector<Part>::iterator place(LooseMessage& message) {
    return message.parts.begin() + choose(message.parts.size() + 1);
  }

  void change_header(LooseMessage& message) {
    const MutableBytes header{message.header};
    // RFC 8489 §5: 12 bits of method with two of class between them.
    if (choose(2) == 0)
      store_u16(header, static_cast<std::uint16_t>(choose(16) | choose(4) << 4U | choose(2) << 8U));
    if (choose(4) == 0) header[4 + choose(16)] ^= static_cast<std::byte>(1U << choose(8));
    if (choose(2) == 0) store_u32(header.subspan(4), stun::magic_cookie);
  }

  std::uint16_t any_type() {
    const auto& types = known_types();
    const auto type = types[choose(types.size())].value;
    return choose(8) == 0 ? static_cast<std::uint16_t>(type ^ 1U << choose(16)) : type;
  }

  // Of a size that some attribute has, and with a first half that some attribute would begin with.
  Part any_part() {
    constexpr std::array<std::size_t, 12> sizes{0, 1, 2, 4, 4, 4, 8, 8, 12, 20, 20, 32};
    Part part{any_type(), std::vector<std::byte>(sizes.at(choose(sizes.size())))};
    constexpr std::array<std::uint16_t, 8> heads{0x0001, 0x0002, 0x0100, 0x0200,
                                                 0x4000, 0x4FFF, 0x0401, 0x1100};
    for (auto& octet : part.value) octet = static_cast<std::byte>(choose(256));
    if (part.value.size() >= 2) store_u16(part.value, heads.at(choose(heads.size())));
    // ERROR-CODE: 300 to 699 (§14.8).
    if (part.value.size() >= 4 && choose(4) == 0) {
      store_u32(part.value, (3 + choose(4)) << 8U | choose(100));
    }
    return part;
  }

  void resize(Part& part) {
    const auto size = part.value.size();
    const auto by = 1 + choose(choose(8) == 0 ? 600 : 4);
    part.value.resize(choose(2) == 0 ? size + by : size - std::min<std::size_t>(size, by));
  }

  void change_value(Part& part) {
    auto size = part.value.size();
    part.value.resize(std::max<std::size_t>(size + choose(2) * choose(16), 1));
    size = LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(part.value.data()),
                            std::max<std::size_t>(size, 1), part.value.size());
    part.value.resize(size);
  }

  // As a client ends its messages: with any of the three, in their order.
  void seal(LooseMessage& message) {
    namespace attribute = stun::attribute;
    const auto which = 1 + choose(7);
    const auto add = [&](stun::AttributeType type, std::size_t size) {
      message.parts.push_back({type.value, std::vector<std::byte>(size)});
    };
    if ((which & 1U) != 0) add(attribute::message_integrity.type, 20);
    if ((which & 2U) != 0)
      add(attribute::message_integrity_sha256.type, 16 + 4 * std::size_t{choose(5)});
    if ((which & 4U) != 0) add(attribute::fingerprint.type, 4);
  }

  std::minstd_rand random_;
};

inline std::size_t put(const std::vector<std::byte>& message, std::span<std::uint8_t> out) {
  const auto size = std::min(message.size(), out.size());
  std::ranges::copy(std::span{reinterpret_cast<const std::uint8_t*>(message.data()), size},
                    out.begin());
  return size;
}

// For LLVMFuzzerCustomMutator: one in four inputs is changed without respect for what it is, so
// that no parser sees but well-made messages. So are all where YUELAO_FUZZ_PLAIN is set, to
// compare.
inline std::size_t mutate_stun(std::span<std::uint8_t> buffer, std::size_t size, unsigned seed) {
  static const bool plain = std::getenv("YUELAO_FUZZ_PLAIN") != nullptr;
  StunMutator mutator{seed};
  if (plain || mutator.choose(4) == 0) return LLVMFuzzerMutate(buffer.data(), size, buffer.size());
  LooseMessage message{std::as_bytes(buffer.first(size))};
  mutator.change(message);
  return put(mutator.choose(8) == 0 ? message.octets() : message.signed_octets(), buffer);
}

// For LLVMFuzzerCustomCrossOver.
inline std::size_t cross_stun(Bytes one, Bytes other, std::span<std::uint8_t> out, unsigned seed) {
  StunMutator mutator{seed};
  LooseMessage message{one};
  mutator.join(message, LooseMessage{other});
  return put(message.signed_octets(), out);
}

}  // namespace yuelao::fuzz

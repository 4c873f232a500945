#include "protocol/stun/codecs.hpp"

#include <limits>

namespace yuelao::stun {
namespace {

constexpr std::size_t address_header_bytes = 4;  // zero, family, port
constexpr std::size_t error_header_bytes = 4;    // reserved, class, number
constexpr std::size_t sendable_reason_bytes = 508;
constexpr std::size_t readable_reason_bytes = 763;

std::optional<Family> family_from(std::byte octet) {
  if (octet == std::byte{1}) return Family::ipv4;
  if (octet == std::byte{2}) return Family::ipv6;
  return std::nullopt;
}

std::byte octet_of(Family family) { return static_cast<std::byte>(family); }

template <std::size_t count>
std::array<std::uint8_t, count> octets_of(Bytes value, Bytes mask) {
  std::array<std::uint8_t, count> octets;
  for (std::size_t i = 0; i < count; ++i) {
    octets[i] = std::to_integer<std::uint8_t>(value[i] ^ mask[i]);
  }
  return octets;
}

// `mask` is 16 octets: zeros for an address that stands as it is. The port takes the
// mask's first two octets, the address all of them that it needs (RFC 8489 §14.2).
std::optional<Endpoint> decode_address(Bytes value, Bytes mask) {
  if (value.size() < address_header_bytes) return std::nullopt;
  const auto family = family_from(value[1]);
  const auto address = value.subspan(address_header_bytes);
  const auto port = static_cast<std::uint16_t>(load_u16(value.subspan(2)) ^ load_u16(mask));
  if (family == Family::ipv4 && address.size() == 4) {
    return Endpoint{IpAddress::v4(octets_of<4>(address, mask)), port};
  }
  if (family == Family::ipv6 && address.size() == 16) {
    return Endpoint{IpAddress::v6(octets_of<16>(address, mask)), port};
  }
  return std::nullopt;
}

void encode_address(const Endpoint& endpoint, MutableBytes out, Bytes mask) {
  out[0] = std::byte{0};
  out[1] = octet_of(endpoint.address.family());
  store_u16(out.subspan(2), static_cast<std::uint16_t>(endpoint.port ^ load_u16(mask)));
  const auto octets = endpoint.address.octets();
  for (std::size_t i = 0; i < octets.size(); ++i) {
    out[address_header_bytes + i] = std::byte{octets[i]} ^ mask[i];
  }
}

std::size_t address_size(const Endpoint& endpoint) {
  return address_header_bytes + endpoint.address.octets().size();
}

constexpr std::array<std::byte, 16> no_mask{};

// The last two octets of the header, and the reason, of RFC 8489 §14.8 and of
// RFC 8656 §18.12 alike. The class is the hundreds digit, 3 to 6.
std::optional<ErrorCodeValue> decode_error(Bytes value) {
  if (value.size() < error_header_bytes) return std::nullopt;
  if (value.size() > error_header_bytes + readable_reason_bytes) return std::nullopt;
  const auto hundreds = std::to_integer<unsigned>(value[2]) & 0x07U;
  const auto number = std::to_integer<unsigned>(value[3]);
  if (hundreds < 3 || hundreds > 6 || number > 99) return std::nullopt;
  return ErrorCodeValue{static_cast<std::uint16_t>(hundreds * 100 + number),
                        as_text(value.subspan(error_header_bytes))};
}

std::size_t error_size(std::uint16_t code, std::string_view reason) {
  if (code < 300 || code > 699 || reason.size() > sendable_reason_bytes) return unencodable;
  return error_header_bytes + reason.size();
}

void encode_error(std::uint16_t code, std::string_view reason, MutableBytes out) {
  out[2] = static_cast<std::byte>(code / 100);
  out[3] = static_cast<std::byte>(code % 100);
  std::ranges::copy(as_bytes(reason), out.subspan(error_header_bytes).begin());
}

// Takes one algorithm off the front of `list`: number, length, padded parameters.
std::optional<PasswordAlgorithm> take_algorithm(Bytes& list) {
  if (list.size() < 4) return std::nullopt;
  const std::size_t size = load_u16(list.subspan(2));
  const auto padded = size + padding_to_four(size);
  if (list.size() - 4 < padded) return std::nullopt;
  const PasswordAlgorithm algorithm{load_u16(list), list.subspan(4, size)};
  list = list.subspan(4 + padded);
  return algorithm;
}

}  // namespace

std::optional<Endpoint> PlainAddressCodec::decode(Bytes value, Bytes /*cookie_and_id*/) {
  return decode_address(value, no_mask);
}
std::size_t PlainAddressCodec::size(const Endpoint& endpoint) { return address_size(endpoint); }
void PlainAddressCodec::encode(const Endpoint& endpoint, MutableBytes out,
                               Bytes /*cookie_and_id*/) {
  encode_address(endpoint, out, no_mask);
}

std::optional<Endpoint> XorAddressCodec::decode(Bytes value, Bytes cookie_and_id) {
  return decode_address(value, cookie_and_id);
}
std::size_t XorAddressCodec::size(const Endpoint& endpoint) { return address_size(endpoint); }
void XorAddressCodec::encode(const Endpoint& endpoint, MutableBytes out, Bytes cookie_and_id) {
  encode_address(endpoint, out, cookie_and_id);
}

std::optional<std::uint8_t> ProtocolCodec::decode(Bytes value, Bytes /*cookie_and_id*/) {
  if (value.size() != 4) return std::nullopt;
  return std::to_integer<std::uint8_t>(value[0]);
}
std::size_t ProtocolCodec::size(const std::uint8_t& /*protocol*/) { return 4; }
void ProtocolCodec::encode(const std::uint8_t& protocol, MutableBytes out,
                           Bytes /*cookie_and_id*/) {
  out[0] = std::byte{protocol};
}

std::optional<std::uint16_t> ResponsePortCodec::decode(Bytes value, Bytes /*cookie_and_id*/) {
  if (value.size() != 2 && value.size() != 4) return std::nullopt;
  return load_u16(value);
}
std::size_t ResponsePortCodec::size(const std::uint16_t& /*port*/) { return 4; }
void ResponsePortCodec::encode(const std::uint16_t& port, MutableBytes out,
                               Bytes /*cookie_and_id*/) {
  store_u16(out, port);
}

std::optional<Bytes> IntegritySha256Codec::decode(Bytes value, Bytes /*cookie_and_id*/) {
  if (value.size() < 16 || value.size() > 32 || value.size() % 4 != 0) return std::nullopt;
  return value;
}
std::size_t IntegritySha256Codec::size(const Bytes& hmac) {
  return decode(hmac, {}) ? hmac.size() : unencodable;
}
void IntegritySha256Codec::encode(const Bytes& hmac, MutableBytes out, Bytes /*cookie_and_id*/) {
  std::ranges::copy(hmac, out.begin());
}

std::optional<Present> CodecOf<Present>::decode(Bytes value, Bytes /*cookie_and_id*/) {
  if (!value.empty()) return std::nullopt;
  return Present{};
}

std::optional<std::uint32_t> CodecOf<std::uint32_t>::decode(Bytes value, Bytes /*cookie_and_id*/) {
  if (value.size() != 4) return std::nullopt;
  return load_u32(value);
}
void CodecOf<std::uint32_t>::encode(const std::uint32_t& number, MutableBytes out,
                                    Bytes /*cookie_and_id*/) {
  store_u32(out, number);
}

std::optional<std::chrono::seconds> CodecOf<std::chrono::seconds>::decode(Bytes value,
                                                                          Bytes /*cookie_and_id*/) {
  if (value.size() != 4) return std::nullopt;
  return std::chrono::seconds{load_u32(value)};
}
void CodecOf<std::chrono::seconds>::encode(const std::chrono::seconds& time, MutableBytes out,
                                           Bytes /*cookie_and_id*/) {
  constexpr std::chrono::seconds::rep longest = std::numeric_limits<std::uint32_t>::max();
  const auto count = std::clamp<std::chrono::seconds::rep>(time.count(), 0, longest);
  store_u32(out, static_cast<std::uint32_t>(count));
}

std::optional<ChannelNumber> CodecOf<ChannelNumber>::decode(Bytes value, Bytes /*cookie_and_id*/) {
  if (value.size() != 4) return std::nullopt;
  return ChannelNumber::from(load_u16(value));
}
void CodecOf<ChannelNumber>::encode(const ChannelNumber& channel, MutableBytes out,
                                    Bytes /*cookie_and_id*/) {
  store_u16(out, channel.value());
}

std::optional<Family> CodecOf<Family>::decode(Bytes value, Bytes /*cookie_and_id*/) {
  if (value.size() != 4) return std::nullopt;
  return family_from(value[0]);
}
void CodecOf<Family>::encode(const Family& family, MutableBytes out, Bytes /*cookie_and_id*/) {
  out[0] = octet_of(family);
}

std::optional<ChangeRequest> CodecOf<ChangeRequest>::decode(Bytes value, Bytes /*cookie_and_id*/) {
  if (value.size() != 4) return std::nullopt;
  const auto flags = load_u32(value);
  return ChangeRequest{(flags & 4U) != 0, (flags & 2U) != 0};
}
void CodecOf<ChangeRequest>::encode(const ChangeRequest& change, MutableBytes out,
                                    Bytes /*cookie_and_id*/) {
  store_u32(out, (change.change_ip ? 4U : 0U) | (change.change_port ? 2U : 0U));
}

std::optional<EvenPort> CodecOf<EvenPort>::decode(Bytes value, Bytes /*cookie_and_id*/) {
  if (value.size() != 1) return std::nullopt;
  return EvenPort{(value[0] & std::byte{0x80}) != std::byte{0}};
}
void CodecOf<EvenPort>::encode(const EvenPort& even_port, MutableBytes out,
                               Bytes /*cookie_and_id*/) {
  out[0] = even_port.reserve_next ? std::byte{0x80} : std::byte{0};
}

std::optional<ErrorCodeValue> CodecOf<ErrorCodeValue>::decode(Bytes value,
                                                              Bytes /*cookie_and_id*/) {
  return decode_error(value);
}
std::size_t CodecOf<ErrorCodeValue>::size(const ErrorCodeValue& error) {
  return error_size(error.code, error.reason);
}
void CodecOf<ErrorCodeValue>::encode(const ErrorCodeValue& error, MutableBytes out,
                                     Bytes /*cookie_and_id*/) {
  encode_error(error.code, error.reason, out);
}

std::optional<AddressErrorCode> CodecOf<AddressErrorCode>::decode(Bytes value,
                                                                  Bytes /*cookie_and_id*/) {
  const auto error = decode_error(value);
  if (!error) return std::nullopt;
  const auto family = family_from(value[0]);
  if (!family) return std::nullopt;
  return AddressErrorCode{*family, error->code, error->reason};
}
std::size_t CodecOf<AddressErrorCode>::size(const AddressErrorCode& error) {
  return error_size(error.code, error.reason);
}
void CodecOf<AddressErrorCode>::encode(const AddressErrorCode& error, MutableBytes out,
                                       Bytes /*cookie_and_id*/) {
  out[0] = octet_of(error.family);
  encode_error(error.code, error.reason, out);
}

std::optional<UnknownAttributes> CodecOf<UnknownAttributes>::decode(Bytes value,
                                                                    Bytes /*cookie_and_id*/) {
  if (value.size() % 2 != 0) return std::nullopt;
  UnknownAttributes unknown;
  unknown.count = std::min(value.size() / 2, unknown.types.size());
  for (std::size_t i = 0; i < unknown.count; ++i) {
    unknown.types[i] = AttributeType{load_u16(value.subspan(i * 2))};
  }
  return unknown;
}
void CodecOf<UnknownAttributes>::encode(const UnknownAttributes& unknown, MutableBytes out,
                                        Bytes /*cookie_and_id*/) {
  for (std::size_t i = 0; i < unknown.count; ++i) {
    store_u16(out.subspan(i * 2), unknown.types[i].value);
  }
}

std::optional<Icmp> CodecOf<Icmp>::decode(Bytes value, Bytes /*cookie_and_id*/) {
  if (value.size() != 8) return std::nullopt;
  return Icmp{std::to_integer<std::uint8_t>(value[2]), std::to_integer<std::uint8_t>(value[3]),
              load_u32(value.subspan(4))};
}
void CodecOf<Icmp>::encode(const Icmp& icmp, MutableBytes out, Bytes /*cookie_and_id*/) {
  out[2] = std::byte{icmp.type};
  out[3] = std::byte{icmp.code};
  store_u32(out.subspan(4), icmp.error_data);
}

std::optional<PasswordAlgorithm> CodecOf<PasswordAlgorithm>::decode(Bytes value,
                                                                    Bytes /*cookie_and_id*/) {
  const auto algorithm = take_algorithm(value);
  return value.empty() ? algorithm : std::nullopt;
}
std::size_t CodecOf<PasswordAlgorithm>::size(const PasswordAlgorithm& algorithm) {
  const auto size = algorithm.parameters.size();
  return 4 + size + padding_to_four(size);
}
void CodecOf<PasswordAlgorithm>::encode(const PasswordAlgorithm& algorithm, MutableBytes out,
                                        Bytes /*cookie_and_id*/) {
  store_u16(out, algorithm.number);
  store_u16(out.subspan(2), static_cast<std::uint16_t>(algorithm.parameters.size()));
  std::ranges::copy(algorithm.parameters, out.subspan(4).begin());
}

std::optional<PasswordAlgorithms> CodecOf<PasswordAlgorithms>::decode(Bytes value,
                                                                      Bytes /*cookie_and_id*/) {
  PasswordAlgorithms list;
  while (!value.empty()) {
    const auto algorithm = take_algorithm(value);
    if (!algorithm || list.count == list.algorithms.size()) return std::nullopt;
    list.algorithms[list.count++] = *algorithm;
  }
  return list;
}
std::size_t CodecOf<PasswordAlgorithms>::size(const PasswordAlgorithms& algorithms) {
  std::size_t size = 0;
  for (const auto& algorithm : algorithms.list()) {
    size += CodecOf<PasswordAlgorithm>::size(algorithm);
  }
  return size;
}
void CodecOf<PasswordAlgorithms>::encode(const PasswordAlgorithms& algorithms, MutableBytes out,
                                         Bytes cookie_and_id) {
  for (const auto& algorithm : algorithms.list()) {
    CodecOf<PasswordAlgorithm>::encode(algorithm, out, cookie_and_id);
    out = out.subspan(CodecOf<PasswordAlgorithm>::size(algorithm));
  }
}

}  // namespace yuelao::stun

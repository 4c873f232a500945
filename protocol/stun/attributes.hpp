#pragma once

// Every attribute of RFC 8489 (§18.3), RFC 8656 (§18), RFC 6062 (§6.2), RFC 5780
// (§9.1), RFC 8016 (§3.3) and what RFC 3489 clients still send or read, one line each.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/endpoint.hpp"
#include "protocol/stun/attribute.hpp"
#include "protocol/stun/attribute_values.hpp"
#include "protocol/stun/channel_number.hpp"
#include "protocol/stun/codecs.hpp"
#include "protocol/stun/error_code.hpp"

namespace yuelao::stun::attribute {

using PlainAddress = Attribute<Endpoint, PlainAddressCodec>;
using XorAddress = Attribute<Endpoint, XorAddressCodec>;
using Text = Attribute<std::string_view, ShortText>;
using Domain = Attribute<std::string_view, TextCodec<255>>;
using Seconds = Attribute<std::chrono::seconds>;
using Protocol = Attribute<std::uint8_t, ProtocolCodec>;
using Port = Attribute<std::uint16_t, ResponsePortCodec>;
using IntegritySha256 = Attribute<Bytes, IntegritySha256Codec>;
template <std::size_t count>
using Octets = Attribute<std::array<std::byte, count>>;

// Comprehension-required: 0x0000 to 0x7FFF.
inline constexpr PlainAddress mapped_address{0x0001};                      // RFC 8489 §14.1
inline constexpr PlainAddress response_address{0x0002};                    // RFC 3489 §11.2.2
inline constexpr Attribute<ChangeRequest> change_request{0x0003};          // RFC 5780 §7.2
inline constexpr PlainAddress source_address{0x0004};                      // RFC 3489 §11.2.5
inline constexpr PlainAddress changed_address{0x0005};                     // RFC 3489 §11.2.3
inline constexpr Text username{0x0006};                                    // RFC 8489 §14.3
inline constexpr Attribute<Bytes> password{0x0007};                        // RFC 3489 §11.2.7
inline constexpr Octets<20> message_integrity{0x0008};                     // RFC 8489 §14.5
inline constexpr Attribute<ErrorCodeValue> error_code{0x0009};             // RFC 8489 §14.8
inline constexpr Attribute<UnknownAttributes> unknown_attributes{0x000A};  // RFC 8489 §14.13
inline constexpr PlainAddress reflected_from{0x000B};                      // RFC 3489 §11.2.11
inline constexpr Attribute<ChannelNumber> channel_number{0x000C};          // RFC 8656 §18.1
inline constexpr Seconds lifetime{0x000D};                                 // RFC 8656 §18.2
inline constexpr XorAddress xor_peer_address{0x0012};                      // RFC 8656 §18.3
inline constexpr Attribute<Bytes> data{0x0013};                            // RFC 8656 §18.4
inline constexpr Text realm{0x0014};                                       // RFC 8489 §14.9
inline constexpr Text nonce{0x0015};                                       // RFC 8489 §14.10
inline constexpr XorAddress xor_relayed_address{0x0016};                   // RFC 8656 §18.5
inline constexpr Attribute<Family> requested_address_family{0x0017};       // RFC 8656 §18.6
inline constexpr Attribute<EvenPort> even_port{0x0018};                    // RFC 8656 §18.7
inline constexpr Protocol requested_transport{0x0019};                     // RFC 8656 §18.8
inline constexpr Attribute<Present> dont_fragment{0x001A};                 // RFC 8656 §18.9
inline constexpr IntegritySha256 message_integrity_sha256{0x001C};         // RFC 8489 §14.6
inline constexpr Attribute<PasswordAlgorithm> password_algorithm{0x001D};  // RFC 8489 §14.12
inline constexpr Octets<32> userhash{0x001E};                              // RFC 8489 §14.4
inline constexpr XorAddress xor_mapped_address{0x0020};                    // RFC 8489 §14.2
inline constexpr Octets<8> reservation_token{0x0022};                      // RFC 8656 §18.10
inline constexpr Attribute<Bytes> padding{0x0026};                         // RFC 5780 §7.6
inline constexpr Port response_port{0x0027};                               // RFC 5780 §7.5
inline constexpr Attribute<std::uint32_t> connection_id{0x002A};           // RFC 6062 §6.2.1

// Comprehension-optional: 0x8000 to 0xFFFF.
inline constexpr Attribute<Family> additional_address_family{0x8000};        // RFC 8656 §18.11
inline constexpr Attribute<AddressErrorCode> address_error_code{0x8001};     // RFC 8656 §18.12
inline constexpr Attribute<PasswordAlgorithms> password_algorithms{0x8002};  // RFC 8489 §14.11
inline constexpr Domain alternate_domain{0x8003};                            // RFC 8489 §14.16
inline constexpr Attribute<Icmp> icmp{0x8004};                               // RFC 8656 §18.13
inline constexpr Text software{0x8022};                                      // RFC 8489 §14.14
inline constexpr PlainAddress alternate_server{0x8023};                      // RFC 8489 §14.15
inline constexpr Seconds cache_timeout{0x8027};                              // RFC 5780 §9.1
inline constexpr Attribute<std::uint32_t> fingerprint{0x8028};               // RFC 8489 §14.7
inline constexpr PlainAddress response_origin{0x802B};                       // RFC 5780 §7.3
inline constexpr PlainAddress other_address{0x802C};                         // RFC 5780 §7.4
inline constexpr Attribute<Bytes> mobility_ticket{0x8030};                   // RFC 8016 §3.3

}  // namespace yuelao::stun::attribute

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"

// What attributes carry where an integer, a text or an Endpoint does not say it.
// Views in a decoded value live as long as the datagram.
namespace yuelao::stun {

// An attribute without a value: being there is what it says (DONT-FRAGMENT).
struct Present {
  friend constexpr bool operator==(Present, Present) = default;
};

// CHANGE-REQUEST: RFC 5780 §7.2, RFC 3489 §11.2.4.
struct ChangeRequest {
  bool change_ip = false;
  bool change_port = false;
  friend constexpr bool operator==(ChangeRequest, ChangeRequest) = default;
};

// EVEN-PORT: RFC 8656 §18.7. `reserve_next` is its R bit.
struct EvenPort {
  bool reserve_next = false;
  friend constexpr bool operator==(EvenPort, EvenPort) = default;
};

// ADDRESS-ERROR-CODE: RFC 8656 §18.12.
struct AddressErrorCode {
  Family family = Family::ipv4;
  std::uint16_t code = 0;  // 300 to 699
  std::string_view reason;
};

// ICMP: RFC 8656 §18.13. `error_data` is the next hop's MTU where the type is
// "packet too big", and 0 otherwise.
struct Icmp {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t error_data = 0;
  friend constexpr bool operator==(Icmp, Icmp) = default;
};

// One entry of the IANA "STUN Password Algorithms" (RFC 8489 §18.5) on the wire:
// key_algorithm() tells those that are known.
struct PasswordAlgorithm {
  std::uint16_t number = 0;
  Bytes parameters;  // empty for both algorithms of RFC 8489
};

// PASSWORD-ALGORITHMS (RFC 8489 §14.11), bounded: a server reads only its own list
// back, so a longer one is malformed.
struct PasswordAlgorithms {
  std::array<PasswordAlgorithm, 8> algorithms{};
  std::size_t count = 0;
  std::span<const PasswordAlgorithm> list() const { return {algorithms.data(), count}; }
};

}  // namespace yuelao::stun

#pragma once

#include <compare>
#include <cstdint>
#include <optional>

namespace yuelao::stun {

class ChannelNumber {
 public:
  // RFC 8656 §12. RFC 5766 went up to 0x7FFF; 0x5000 and above now belong to
  // other protocols that may share the port (RFC 7983).
  static constexpr std::uint16_t first = 0x4000;
  static constexpr std::uint16_t last = 0x4FFF;

  static constexpr std::optional<ChannelNumber> from(std::uint16_t value) {
    if (value < first || value > last) return std::nullopt;
    return ChannelNumber{value};
  }
  constexpr std::uint16_t value() const { return value_; }
  friend constexpr auto operator<=>(ChannelNumber, ChannelNumber) = default;

 private:
  explicit constexpr ChannelNumber(std::uint16_t value) : value_{value} {}
  std::uint16_t value_;
};

}  // namespace yuelao::stun

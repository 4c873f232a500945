#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/endpoint.hpp"

namespace yuelao {

// An inclusive range of addresses of one family.
class IpRange {
 public:
  // "192.0.2.0/24", "192.0.2.5-192.0.2.9" or one address. Empty when the text is
  // none of them, the ends differ in family or are reversed, or bits are set
  // behind the prefix length (192.0.2.1/24 is a slip, not a range).
  static std::optional<IpRange> parse(std::string_view text);

  static IpRange from_prefix(const IpAddress& network, unsigned prefix_length);

  bool contains(const IpAddress& address) const { return first_ <= address && address <= last_; }
  const IpAddress& first() const { return first_; }
  const IpAddress& last() const { return last_; }

 private:
  IpRange(const IpAddress& first, const IpAddress& last) : first_{first}, last_{last} {}

  // IpAddress orders by family first, so one pair of comparisons suffices.
  IpAddress first_;
  IpAddress last_;
};

// `address` with all but its first `prefix_length` bits cleared.
IpAddress network_of(const IpAddress& address, unsigned prefix_length);

// A household or an office, for limits: one IPv4 address, or the /64 an IPv6 host picks
// its own addresses from as often as it likes.
IpAddress client_prefix(const IpAddress& client);

}  // namespace yuelao

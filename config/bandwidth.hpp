#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/turn/bandwidth.hpp"

namespace yuelao::config {

// A whole number of bits a second with its unit bit, kbit, Mbit or Gbit: "500Mbit". Not more than
// 1000 Gbit, and not less than an octet.
std::optional<turn::Bandwidth> parse_bandwidth(std::string_view text);
// The same the other way round, in the largest unit that fits.
std::string to_string(turn::Bandwidth octets);

}  // namespace yuelao::config

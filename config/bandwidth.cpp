#include "config/bandwidth.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace yuelao::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t bits;
};
// The longest names first: each ends as the last one does.
constexpr std::array units{Unit{"Gbit", 1'000'000'000}, Unit{"Mbit", 1'000'000},
                           Unit{"kbit", 1'000}, Unit{"bit", 1}};

constexpr std::uint64_t bits_an_octet = 8;
constexpr std::uint64_t most_bits = 1000 * units.front().bits;

}  // namespace

std::optional<turn::Bandwidth> parse_bandwidth(std::string_view text) {
  const auto* const unit =
      std::ranges::find_if(units, [&](const Unit& known) { return text.ends_with(known.name); });
  if (unit == units.end()) return std::nullopt;
  text.remove_suffix(unit->name.size());
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (count > most_bits / unit->bits || count * unit->bits < bits_an_octet) return std::nullopt;
  return count * unit->bits / bits_an_octet;
}

std::string to_string(turn::Bandwidth octets) {
  const auto bits = octets * bits_an_octet;
  const auto* const unit =
      std::ranges::find_if(units, [&](const Unit& known) { return bits % known.bits == 0; });
  return std::to_string(bits / unit->bits) + std::string{unit->name};
}

}  // namespace yuelao::config

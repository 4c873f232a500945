#include "protocol/client/dns_records.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace yuelao::client {
namespace {

std::uint32_t draw(Random& random) {
  std::array<std::byte, 4> octets{};
  random.fill(octets);
  std::uint32_t value = 0;
  for (const auto octet : octets) value = value << 8 | std::to_integer<std::uint32_t>(octet);
  return value;
}

// RFC 2782's "Weight", for records of one priority among which those of weight 0 stand first.
void shuffle_by_weight(std::span<SrvRecord> records, Random& random) {
  for (; records.size() > 1; records = records.subspan(1)) {
    std::uint32_t left = 0;
    for (const auto& one : records) left += one.weight;
    const auto drawn = draw(random) % (left + 1);
    std::uint32_t sum = 0;
    const auto chosen = std::ranges::find_if(
        records, [&](const SrvRecord& one) { return (sum += one.weight) >= drawn; });
    std::rotate(records.begin(), chosen, chosen + 1);
  }
}

}  // namespace

std::string_view name(DnsQuestion::Type type) {
  return type == DnsQuestion::Type::naptr ? "NAPTR" : "SRV";
}

std::string canonical(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string lower{name};
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::vector<SrvRecord> in_order(std::vector<SrvRecord> records, Random& random) {
  std::ranges::sort(records);
  std::span<SrvRecord> rest{records};
  while (!rest.empty()) {
    const auto priority = rest.front().priority;
    const auto same =
        static_cast<std::size_t>(std::ranges::count(rest, priority, &SrvRecord::priority));
    shuffle_by_weight(rest.first(same), random);
    rest = rest.subspan(same);
  }
  return records;
}

}  // namespace yuelao::client

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/element.hpp"
#include "protocol/port_range.hpp"

namespace yuelao::config {

// Readers of one value: a Element into a type that cannot be wrong, or a Problem whose
// sentence says what would be right.

struct NumberBounds {
  std::uint32_t least;
  std::uint32_t most;
};

struct DurationBounds {
  std::chrono::seconds least;
  std::chrono::seconds most;
};

std::unexpected<Problem> problem(const Element& element, std::string sentence);

Read<std::string> read_text(const Element& element);
Read<std::uint32_t> read_number(const Element& element, NumberBounds bounds);
// A number with its unit: "90s", "10m", "1h", "2d".
Read<std::chrono::seconds> read_duration(const Element& element, DurationBounds bounds);
// "off", which is unlimited, or "500Mbit"
Read<turn::Bandwidth> read_bandwidth(const Element& element);
Read<IpAddress> read_address(const Element& element);
Read<IpRange> read_range(const Element& element);
Read<PortRange> read_ports(const Element& element);
// "udp:3478", "tls:192.0.2.1:443", "tcp:[2001:db8::1]:3478"
Read<Listen> read_listen(const Element& element);
// "203.0.113.5", "203.0.113.5/10.0.0.5", "turn.example.org", "turn.example.org/10.0.0.5",
// {stun: "stun.example.org:3478"}
Read<ExternalAddress> read_external_address(const Element& element);
// The keys of the last form.
extern const std::vector<std::string> external_address_keys;
// "127.0.0.1:8443" or "[::1]:8443"
Read<Endpoint> read_destination(const Element& element);
// "203.0.113.6" (port 0), "203.0.113.6:443", "2001:db8::6" or "[2001:db8::6]:443"
Read<Endpoint> read_address_or_endpoint(const Element& element);
// "203.0.113.5", or "203.0.113.5/10.0.0.5": as clients see it, and as this machine has it
Read<turn::BehaviorDiscovery::Address> read_discovery_address(const Element& element);
// "turn.example.org", made lower case
Read<std::string> read_host_name(const Element& element);
// An address and port to serve HTTP on, such as `example`, or "off".
Read<std::optional<Endpoint>> read_endpoint(const Element& element, std::string_view example);
// The origin of a web page as browsers write it (RFC 6454 §6.2): "https://meet.example.org"
Read<std::string> read_origin(const Element& element);

// One of `words`; its index.
Read<std::size_t> read_word(const Element& element, std::span<const std::string_view> words);

// A list; a single value stands for a list of one, nothing for an empty one.
template <typename T>
Read<std::vector<T>> read_list(const Element& element, Read<T> (*read_item)(const Element&)) {
  std::vector<T> values;
  const std::span<const Element> items =
      element.kind == Element::Kind::list ? std::span{element.items} : std::span{&element, 1};
  if (element.kind == Element::Kind::nothing) return values;
  for (const auto& item : items) {
    auto value = read_item(item);
    if (!value) return std::unexpected{std::move(value.error())};
    values.push_back(std::move(*value));
  }
  return values;
}

}  // namespace yuelao::config

#include "config/values.hpp"

#include <algorithm>
#include <charconv>

#include "config/bandwidth.hpp"
#include "config/duration.hpp"
#include "config/keys.hpp"

namespace yuelao::config {
namespace {

// What stands where a scalar should be, for the sentence.
std::string_view kind_name(const Element& element) {
  switch (element.kind) {
    case Element::Kind::nothing:
      return "nothing";
    case Element::Kind::scalar:
      return "a value";
    case Element::Kind::list:
      return "a list";
    case Element::Kind::map:
      return "a section with keys";
  }
  return "";
}

template <typename Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint16_t> port(std::string_view text) {
  const auto number = whole_number<std::uint16_t>(text);
  return number == std::uint16_t{0} ? std::nullopt : number;
}

// RFC 1123 §2.1, and underscores, which occur.
bool host_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  };
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && text.size() <= 253 && text.front() != '.' && text.front() != '-' &&
         text.find("..") == std::string_view::npos && std::ranges::all_of(text, allowed) &&
         std::ranges::any_of(text, letter);
}

// As it stands in a URL: a name, an IPv4 address, or an IPv6 one in brackets.
bool url_host(std::string_view text) {
  const bool bracketed = text.starts_with('[') && text.ends_with(']');
  if (bracketed) text = text.substr(1, text.size() - 2);
  const auto address = IpAddress::parse(text);
  if (address) return bracketed == (address->family() == Family::ipv6);
  return !bracketed && host_name(text);
}

char lower_case(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::optional<Transport> transport(std::string_view text) {
  for (const auto candidate : {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls}) {
    if (name(candidate) == text) return candidate;
  }
  return std::nullopt;
}

}  // namespace

// "stun.example.org", "stun.example.org:3478", "192.0.2.1:3478", "[2001:db8::1]:3478"
std::optional<StunServer> stun_server(std::string_view text) {
  if (const auto endpoint = Endpoint::parse(text); endpoint && endpoint->port != 0) {
    return StunServer{endpoint->address.to_string(), endpoint->port};
  }
  if (const auto address = IpAddress::parse(text)) return StunServer{address->to_string()};
  const auto colon = text.find(':');
  StunServer server{std::string{text.substr(0, colon)}};
  if (colon != std::string_view::npos) {
    const auto number = port(text.substr(colon + 1));
    if (!number) return std::nullopt;
    server.port = *number;
  }
  return host_name(server.host) ? std::optional{server} : std::nullopt;
}

Read<ExternalAddress> read_stun_address(const Element& element) {
  const auto known = only_known_keys(element, "external_address", external_address_keys);
  if (!known) return std::unexpected{known.error()};
  const auto* value = element.find("stun");
  if (!value) return problem(element, "this is empty: write {stun: stun.example.org:3478}.");
  const auto text = read_text(*value);
  if (!text) return std::unexpected{text.error()};
  const auto server = stun_server(*text);
  if (!server) {
    return problem(*value, backquoted(*text) +
                               " is not a STUN server: write its name or address and its port, "
                               "such as stun.example.org:3478.");
  }
  return ExternalAddress{{}, std::nullopt, server};
}

std::unexpected<Problem> problem(const Element& element, std::string sentence) {
  return std::unexpected{Problem{element.at, std::move(sentence)}};
}

const std::vector<std::string> external_address_keys = {"stun"};

Read<std::string> read_text(const Element& element) {
  if (element.kind == Element::Kind::scalar && !element.text.empty()) return element.text;
  if (element.kind == Element::Kind::scalar)
    return problem(element, "this is empty: give it a value.");
  return problem(element,
                 "a single value belongs here, not " + std::string{kind_name(element)} + ".");
}

Read<std::uint32_t> read_number(const Element& element, NumberBounds bounds) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  const auto number = whole_number<std::uint32_t>(*text);
  if (!number || *number < bounds.least || *number > bounds.most) {
    return problem(element, backquoted(*text) + " does not fit: write a whole number from " +
                                std::to_string(bounds.least) + " to " +
                                std::to_string(bounds.most) + ".");
  }
  return *number;
}

Read<std::chrono::seconds> read_duration(const Element& element, DurationBounds bounds) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  const auto duration = parse_duration(*text);
  if (!duration) {
    return problem(element, backquoted(*text) +
                                " is not a duration: write a number with its unit s, m, h or d, "
                                "such as 90s or 10m.");
  }
  if (*duration < bounds.least || *duration > bounds.most) {
    return problem(element, backquoted(*text) + " does not fit: write a duration from " +
                                to_string(bounds.least) + " to " + to_string(bounds.most) + ".");
  }
  return *duration;
}

Read<turn::Bandwidth> read_bandwidth(const Element& element) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  if (*text == "off") return turn::unlimited;
  const auto octets = parse_bandwidth(*text);
  if (!octets) {
    return problem(element, backquoted(*text) +
                                " is not a bandwidth: write a number of bits a second with its "
                                "unit bit, kbit, Mbit or Gbit, such as 500Mbit, up to 1000Gbit; "
                                "or off.");
  }
  return *octets;
}

Read<IpAddress> read_address(const Element& element) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  const auto address = IpAddress::parse(*text);
  if (!address) {
    return problem(
        element,
        backquoted(*text) + " is not an IP address: write one such as 192.0.2.1 or 2001:db8::1.");
  }
  if (address->unspecified()) {
    return problem(element, backquoted(*text) + " stands for every address: name one of them.");
  }
  return *address;
}

Read<IpRange> read_range(const Element& element) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  if (const auto range = IpRange::parse(*text)) return *range;
  return problem(element,
                 backquoted(*text) +
                     " is not a range of addresses: write 192.0.2.0/24 (no bits set behind "
                     "the prefix), 192.0.2.5-192.0.2.9 or one address.");
}

Read<PortRange> read_ports(const Element& element) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  const std::string_view view = *text;
  const auto dash = view.find('-');
  const auto first = port(view.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : port(view.substr(dash + 1));
  if (!first || !last || *last < *first) {
    return problem(element, backquoted(*text) +
                                " is not a range of ports: write the first and the last, such as "
                                "49152-65535.");
  }
  return PortRange{*first, *last};
}

Read<Listen> read_listen(const Element& element) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  const std::string_view view = *text;
  const auto colon = view.find(':');
  const auto kind = transport(view.substr(0, colon));
  if (kind && colon != std::string_view::npos) {
    const auto rest = view.substr(colon + 1);
    if (const auto number = port(rest)) return Listen{*kind, std::nullopt, *number};
    if (const auto endpoint = Endpoint::parse(rest); endpoint && endpoint->port != 0) {
      return Listen{*kind, endpoint->address, endpoint->port};
    }
  }
  return problem(element, backquoted(*text) +
                              " is not a listener: write udp:3478, tcp:3478, tls:5349, or with an "
                              "address udp:192.0.2.1:3478 or udp:[2001:db8::1]:3478.");
}

Read<ExternalAddress> read_external_address(const Element& element) {
  if (element.kind == Element::Kind::map) return read_stun_address(element);
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  const std::string_view view = *text;
  const auto slash = view.find('/');
  ExternalAddress external{std::string{view.substr(0, slash)}, std::nullopt};
  const auto address = IpAddress::parse(external.public_host);
  const bool public_fits = address ? !address->unspecified() : host_name(external.public_host);
  if (slash != std::string_view::npos) external.bound = IpAddress::parse(view.substr(slash + 1));
  const bool bound_fits =
      slash == std::string_view::npos || (external.bound && !external.bound->unspecified());
  if (!public_fits || !bound_fits) {
    return problem(element,
                   backquoted(*text) +
                       " is not an external address: write 203.0.113.5, a host name, "
                       "with this machine's own address behind a NAT 203.0.113.5/10.0.0.5, or "
                       "{stun: stun.example.org:3478} to ask a STUN server.");
  }
  if (address && external.bound && address->family() != external.bound->family()) {
    return problem(element,
                   backquoted(*text) + " mixes IPv4 and IPv6: give each family its own entry.");
  }
  return external;
}

Read<turn::BehaviorDiscovery::Address> read_discovery_address(const Element& element) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  const std::string_view view = *text;
  const auto slash = view.find('/');
  const auto advertised = IpAddress::parse(view.substr(0, slash));
  const auto bound =
      slash == std::string_view::npos ? advertised : IpAddress::parse(view.substr(slash + 1));
  if (!advertised || !bound || advertised->unspecified() || bound->unspecified()) {
    return problem(element, backquoted(*text) +
                                " is not an address of this machine: write 203.0.113.5, or with "
                                "its own address behind a NAT 203.0.113.5/10.0.0.5.");
  }
  if (advertised->family() != bound->family()) {
    return problem(element, backquoted(*text) +
                                " mixes IPv4 and IPv6: a NAT does not, so write "
                                "two of one family.");
  }
  return turn::BehaviorDiscovery::Address{*advertised, *bound};
}

Read<Endpoint> read_destination(const Element& element) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  if (const auto endpoint = Endpoint::parse(*text); endpoint && endpoint->port != 0) {
    return *endpoint;
  }
  return problem(
      element,
      backquoted(*text) + " is not an address with a port: write 127.0.0.1:8443 or [::1]:8443.");
}

Read<Endpoint> read_address_or_endpoint(const Element& element) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  if (const auto address = IpAddress::parse(*text)) return Endpoint{*address, 0};
  if (const auto endpoint = Endpoint::parse(*text); endpoint && endpoint->port != 0) {
    return *endpoint;
  }
  return problem(element, backquoted(*text) +
                              " is not an address, with a port or without: write 203.0.113.6, "
                              "203.0.113.6:443 or \"[2001:db8::6]:443\".");
}

Read<std::string> read_host_name(const Element& element) {
  auto text = read_text(element);
  if (!text) return text;
  if (!host_name(*text)) {
    return problem(element,
                   backquoted(*text) + " is not a host name: write one such as turn.example.org.");
  }
  std::ranges::transform(*text, text->begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

Read<std::optional<Endpoint>> read_endpoint(const Element& element, std::string_view example) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  if (*text == "off") return std::optional<Endpoint>{};
  if (const auto endpoint = Endpoint::parse(*text); endpoint && endpoint->port != 0) {
    return endpoint;
  }
  return problem(element, backquoted(*text) + " is not an address with a port: write " +
                              std::string{example} + ", [::1]" +
                              std::string{example.substr(example.rfind(':'))} + " or off.");
}

Read<std::string> read_origin(const Element& element) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  std::string origin = *text;
  std::ranges::transform(origin, origin.begin(), lower_case);
  std::string_view rest = origin;
  const bool secure = rest.starts_with("https://");
  const bool web = secure || rest.starts_with("http://");
  if (web) rest.remove_prefix(rest.find("//") + 2);
  const auto colon = rest.ends_with(']') ? std::string_view::npos : rest.rfind(':');
  const auto host = rest.substr(0, colon);
  const auto number = colon == std::string_view::npos ? std::nullopt : port(rest.substr(colon + 1));
  // Browsers leave the usual port out.
  const bool port_fits =
      colon == std::string_view::npos || (number && *number != (secure ? 443 : 80));
  if (web && port_fits && url_host(host)) return origin;
  return problem(element, backquoted(*text) +
                              " is not the origin of a web page: write https://meet.example.org, "
                              "with a port only if it is an unusual one, and without a path.");
}

Read<std::size_t> read_word(const Element& element, std::span<const std::string_view> words) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  const auto found = std::ranges::find(words, *text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  std::string all;
  for (const auto word : words) all += (all.empty() ? "" : ", ") + std::string{word};
  return problem(element, backquoted(*text) + " is not known here: write one of " + all + ".");
}

}  // namespace yuelao::config

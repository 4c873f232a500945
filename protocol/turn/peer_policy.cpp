#include "protocol/turn/peer_policy.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace yuelao::turn {
namespace {

// IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates),
// with multicast (RFC 5771, RFC 4291 §2.7). Blocks that embed an IPv4 address are
// closed whole: what they carry would otherwise be a second spelling of a closed one.
constexpr std::array special_purpose = {
    std::string_view{"0.0.0.0/8"},        // "this network"; 0.0.0.0 reaches loopback on Linux
    std::string_view{"10.0.0.0/8"},       // private
    std::string_view{"100.64.0.0/10"},    // shared address space (CGNAT)
    std::string_view{"127.0.0.0/8"},      // loopback
    std::string_view{"169.254.0.0/16"},   // link-local; cloud metadata services
    std::string_view{"172.16.0.0/12"},    // private
    std::string_view{"192.0.0.0/24"},     // IETF protocol assignments
    std::string_view{"192.0.2.0/24"},     // documentation (TEST-NET-1)
    std::string_view{"192.31.196.0/24"},  // AS112-v4
    std::string_view{"192.52.193.0/24"},  // AMT
    std::string_view{"192.88.99.0/24"},   // 6to4 relay anycast, deprecated
    std::string_view{"192.168.0.0/16"},   // private
    std::string_view{"192.175.48.0/24"},  // direct delegation AS112
    std::string_view{"198.18.0.0/15"},    // benchmarking
    std::string_view{"198.51.100.0/24"},  // documentation (TEST-NET-2)
    std::string_view{"203.0.113.0/24"},   // documentation (TEST-NET-3)
    std::string_view{"224.0.0.0/4"},      // multicast
    std::string_view{"240.0.0.0/4"},      // reserved, and 255.255.255.255 broadcast
    // Beside 2000::/3 nothing is global unicast (RFC 4291 §2.4, and IANA's registry of the space).
    std::string_view{"::/3"},               // loopback, IPv4 in IPv6, NAT64, discard-only, ...
    std::string_view{"4000::/2"},           // segment routing SIDs (5f00::/16); unassigned
    std::string_view{"8000::/1"},           // unique local, link-local, site-local, multicast
    std::string_view{"2001::/23"},          // IETF protocol assignments: Teredo, ORCHID, ...
    std::string_view{"2001:db8::/32"},      // documentation
    std::string_view{"2002::/16"},          // 6to4
    std::string_view{"2620:4f:8000::/48"},  // direct delegation AS112
    std::string_view{"3fff::/20"},          // documentation
};

// RFC 5214 §6.1: an interface identifier 00-00-5E-FE (or 02-00-5E-FE) and an IPv4
// address, behind any prefix at all.
bool isatap(const IpAddress& address) {
  if (address.family() != Family::ipv6) return false;
  const auto octets = address.octets();
  return (octets[8] & 0xFDU) == 0 && octets[9] == 0 && octets[10] == 0x5E && octets[11] == 0xFE;
}

bool any_contains(const std::vector<IpRange>& ranges, const IpAddress& address) {
  return std::ranges::any_of(ranges, [&](const IpRange& range) { return range.contains(address); });
}

}  // namespace

const std::vector<IpRange>& special_purpose_ranges() {
  static const std::vector<IpRange> ranges = [] {
    std::vector<IpRange> parsed;
    parsed.reserve(std::size(special_purpose));
    for (const auto text : special_purpose) parsed.push_back(IpRange::parse(text).value());
    return parsed;
  }();
  return ranges;
}

PeerPolicy::Verdict PeerPolicy::judge(const IpAddress& peer) const {
  if (any_contains(rules_.allow, peer)) return Verdict::allowed;
  if (std::ranges::find(rules_.own_addresses, peer) != rules_.own_addresses.end()) {
    return Verdict::own;
  }
  if (rules_.mode == PeerMode::media_server) return Verdict::forbidden;
  const bool closed = any_contains(rules_.deny, peer) ||
                      any_contains(special_purpose_ranges(), peer) || isatap(peer);
  return closed ? Verdict::forbidden : Verdict::allowed;
}

}  // namespace yuelao::turn

#include "protocol/turn/counters.hpp"

#include <algorithm>

namespace yuelao::turn {
namespace {

constexpr std::array<std::string_view, drop_count> drop_names = {
    "malformed",       "bad_fingerprint", "not_a_request",    "unknown_method", "unknown_attribute",
    "no_allocation",   "no_channel",      "no_permission",    "forbidden_peer", "wrong_family",
    "still_opening",   "too_large",       "send_queue_full",  "send_failed",    "icmp",
    "short_padding",   "no_association",  "connection_limit", "moved",          "bandwidth",
    "response_budget", "new_peer",
};

struct NamedMethod {
  stun::Method method;
  std::string_view name;
};
// The methods that are answered; the slot behind them counts every other.
constexpr std::array<NamedMethod, method_slots - 1> methods = {{
    {stun::Method::binding, "binding"},
    {stun::Method::allocate, "allocate"},
    {stun::Method::refresh, "refresh"},
    {stun::Method::create_permission, "create_permission"},
    {stun::Method::channel_bind, "channel_bind"},
    {stun::Method::connect, "connect"},
    {stun::Method::connection_bind, "connection_bind"},
}};

using stun::ErrorCode;
constexpr std::array<ErrorCode, error_slots> error_codes = {
    ErrorCode::try_alternate,
    ErrorCode::bad_request,
    ErrorCode::unauthenticated,
    ErrorCode::forbidden,
    ErrorCode::mobility_forbidden,
    ErrorCode::unknown_attribute,
    ErrorCode::allocation_mismatch,
    ErrorCode::stale_nonce,
    ErrorCode::address_family_not_supported,
    ErrorCode::wrong_credentials,
    ErrorCode::unsupported_transport_protocol,
    ErrorCode::peer_address_family_mismatch,
    ErrorCode::connection_already_exists,
    ErrorCode::connection_timeout_or_failure,
    ErrorCode::allocation_quota_reached,
    ErrorCode::server_error,
    ErrorCode::insufficient_capacity,
};

}  // namespace

std::string_view name(Drop drop) { return drop_names[static_cast<std::size_t>(drop)]; }

std::size_t slot(stun::Method method) {
  const auto found = std::ranges::find(methods, method, &NamedMethod::method);
  return static_cast<std::size_t>(found - methods.begin());
}

std::string_view method_name(std::size_t slot) {
  return slot < methods.size() ? methods[slot].name : "other";
}

std::size_t slot(stun::ErrorCode code) {
  const auto found = std::ranges::find(error_codes, code);
  return static_cast<std::size_t>(found - error_codes.begin());
}

stun::ErrorCode error_at(std::size_t slot) { return error_codes[slot]; }

}  // namespace yuelao::turn

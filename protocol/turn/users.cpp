#include "protocol/turn/users.hpp"

#include <charconv>
#include <optional>

namespace yuelao::turn {
namespace {

// Decimal seconds since 1970 up to the first colon, or up to the end: Jitsi sends the
// expiry alone. What follows the colon is the meeting system's business.
std::optional<WallTime> expiry_in(std::string_view name) {
  const auto digits = name.substr(0, name.find(':'));
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return WallTime{std::chrono::seconds{seconds}};
}

}  // namespace

Users::Users(const Credentials& credentials, std::string_view realm)
    : credentials_{credentials}, realm_{realm} {
  for (const auto& user : credentials_.users) {
    static_keys_.emplace(user.name, stun::long_term_key(user.name, realm_, user.password.reveal()));
  }
}

Candidates Users::keys_of(std::string_view name, WallTime now) const {
  Candidates candidates;
  const auto found = static_keys_.find(std::string{name});
  if (found != static_keys_.end()) return {.keys = {found->second}, .genuine = true};
  // Derived before the name is judged: an expired name costs what a live one does.
  for (const auto& secret : credentials_.rest_secrets) {
    const auto password = stun::rest_password(secret.reveal(), name);
    candidates.keys.push_back(stun::long_term_key(name, realm_, password));
  }
  candidates.genuine = rest_name_valid(name, now) && !candidates.keys.empty();
  if (candidates.keys.empty()) candidates.keys.emplace_back();
  return candidates;
}

bool Users::rest_name_valid(std::string_view name, WallTime now) const {
  const auto expiry = expiry_in(name);
  if (!expiry || *expiry <= now) return false;
  const auto& longest = credentials_.longest_rest_lifetime;
  return !longest || *expiry <= now + *longest;
}

}  // namespace yuelao::turn

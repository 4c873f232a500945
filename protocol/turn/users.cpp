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
  using stun::KeyAlgorithm;
  for (const auto& [name, password] : credentials_.users) {
    const auto key = [&](KeyAlgorithm algorithm) {
      return stun::LongTermKey{algorithm, name, realm_, password.reveal()};
    };
    by_name_.emplace(name, static_keys_.size());
    by_hash_.emplace(stun::user_hash(name, realm_), static_keys_.size());
    static_keys_.push_back({name, key(KeyAlgorithm::md5), key(KeyAlgorithm::sha256)});
  }
}

Candidates Users::keys_of(std::string_view name, stun::KeyAlgorithm algorithm, WallTime now) const {
  Candidates candidates;
  // Derived before the name is judged: one that has expired, or is a static user's, costs
  // what a live one does.
  for (const auto& secret : credentials_.rest_secrets) {
    const auto password = stun::rest_password(secret.reveal(), name);
    candidates.keys.emplace_back(algorithm, name, realm_, password);
  }
  if (rest_name_valid(name, now)) candidates.genuine = candidates.keys.size();
  if (candidates.keys.empty()) candidates.keys.emplace_back();
  const auto found = by_name_.find(std::string{name});
  if (found != by_name_.end()) {
    const auto& keys = static_keys_[found->second];
    candidates.keys.front() = algorithm == stun::KeyAlgorithm::md5 ? keys.md5 : keys.sha256;
    candidates.genuine = 1;
  }
  return candidates;
}

std::optional<std::string_view> Users::name_of(const stun::UserHash& hash) const {
  const auto found = by_hash_.find(hash);
  if (found == by_hash_.end()) return std::nullopt;
  return static_keys_[found->second].name;
}

bool Users::all_have_hashes() const {
  return !credentials_.users.empty() && credentials_.rest_secrets.empty();
}

bool Users::rest_name_valid(std::string_view name, WallTime now) const {
  const auto expiry = expiry_in(name);
  if (!expiry || *expiry <= now) return false;
  const auto& longest = credentials_.longest_rest_lifetime;
  return !longest || *expiry <= now + *longest;
}

}  // namespace yuelao::turn

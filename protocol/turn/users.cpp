#include "protocol/turn/users.hpp"

#include <charconv>
#include <optional>

#include "protocol/stun/integrity.hpp"

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

// Of a static user, or of a shared secret, which has no name.
CredentialId id_of(const Secret& secret, std::string_view name = {}) {
  return load_u64(stun::hmac_sha1(secret.bytes(), as_bytes(name)));
}

}  // namespace

Users::Users(const Credentials& credentials, std::string_view realm)
    : credentials_{credentials},
      realm_{realm},
      denied_{credentials.denied_users.begin(), credentials.denied_users.end()} {
  using stun::KeyAlgorithm;
  for (const auto& [name, password] : credentials_.users) {
    const auto key = [&](KeyAlgorithm algorithm) {
      return stun::LongTermKey{algorithm, name, realm_, password.reveal()};
    };
    by_name_.emplace(name, static_keys_.size());
    by_hash_.emplace(stun::user_hash(name, realm_), static_keys_.size());
    static_keys_.push_back(
        {name, key(KeyAlgorithm::md5), key(KeyAlgorithm::sha256), id_of(password, name)});
    configured_.insert(static_keys_.back().id);
  }
  for (const auto& secret : credentials_.rest_secrets) secret_ids_.push_back(id_of(secret));
  configured_.insert(secret_ids_.begin(), secret_ids_.end());
}

Candidates Users::candidates_for(std::string_view name, stun::KeyAlgorithm algorithm,
                                 WallTime now) const {
  Candidates candidates;
  auto& proofs = candidates.proofs;
  // Derived before the name is judged: one that has expired, or is a static user's, costs
  // what a live one does.
  for (std::size_t i = 0; i < secret_ids_.size(); ++i) {
    const auto password = stun::rest_password(credentials_.rest_secrets[i].reveal(), name);
    proofs.emplace_back(stun::LongTermKey{algorithm, name, realm_, password}, secret_ids_[i]);
  }
  if (rest_name_valid(name, now)) candidates.genuine = proofs.size();
  if (proofs.empty()) proofs.emplace_back();
  const auto found = by_name_.find(std::string{name});
  if (found != by_name_.end()) {
    const auto& keys = static_keys_[found->second];
    proofs.front() = {algorithm == stun::KeyAlgorithm::md5 ? keys.md5 : keys.sha256, keys.id};
    candidates.genuine = 1;
  }
  if (denied(name)) candidates.genuine = 0;
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

bool Users::stands(std::string_view name, CredentialId credential) const {
  return configured_.contains(credential) && !denied(name);
}

// Of a name with an expiry also whom it is for: each credential of theirs has another name.
bool Users::denied(std::string_view name) const {
  if (denied_.contains(std::string{name})) return true;
  const auto colon = name.find(':');
  return colon != std::string_view::npos && expiry_in(name) &&
         denied_.contains(std::string{name.substr(colon + 1)});
}

bool Users::rest_name_valid(std::string_view name, WallTime now) const {
  const auto expiry = expiry_in(name);
  if (!expiry || *expiry <= now) return false;
  const auto& longest = credentials_.longest_rest_lifetime;
  return !longest || *expiry <= now + *longest;
}

}  // namespace yuelao::turn

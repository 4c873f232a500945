#pragma once

#include <array>
#include <cstddef>

#include "protocol/bytes.hpp"

namespace yuelao::stun {

// AES-256-GCM under a key that seals one text and no other: then GCM needs no nonce that differs.
using OneTimeKey = std::array<std::byte, 32>;
inline constexpr std::size_t seal_tag_bytes = 16;

// Writes the sealed text, as long as `plain`, and its tag: `out` is for both.
void seal(const OneTimeKey& key, Bytes plain, MutableBytes out);
// False where seal() under this key did not make `sealed`; what is in `plain` then is of no
// meaning. `plain` has room for the text.
bool unseal(const OneTimeKey& key, Bytes sealed, MutableBytes plain);

}  // namespace yuelao::stun

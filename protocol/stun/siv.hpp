#pragma once

#include <array>
#include <cstddef>

#include "protocol/bytes.hpp"

namespace yuelao::stun {

// AES-256-SIV (RFC 5297), which needs no nonce: what it shows is that two sealed texts were the
// same, and of texts that never are, nothing.
inline constexpr std::size_t siv_key_bytes = 64;
inline constexpr std::size_t siv_tag_bytes = 16;

// Writes the tag and the sealed text behind it, as long as `plain`: `out` is for both.
void seal(Bytes key, Bytes plain, MutableBytes out);
// False where seal() under this key did not make `sealed`; what is in `plain` then is of no
// meaning. `plain` has room for the text.
bool unseal(Bytes key, Bytes sealed, MutableBytes plain);

}  // namespace yuelao::stun

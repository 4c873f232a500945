#include <cstdint>
#include <span>

#include "fuzz/promise.hpp"
#include "protocol/stun/credentials.hpp"

// Reads whatever arrives as a user name or password.
namespace yuelao::stun {

void check(std::string_view text) {
  const auto prepared = opaque_string(text);
  if (!prepared) return;
  fuzz::promise(!prepared->empty(), "what is prepared is not empty");
  fuzz::promise(opaque_string(*prepared) == prepared, "preparing again changes nothing");
}

}  // namespace yuelao::stun

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  yuelao::stun::check(yuelao::as_text(std::as_bytes(std::span{data, size})));
  return 0;
}

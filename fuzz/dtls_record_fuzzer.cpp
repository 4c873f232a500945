#include <algorithm>
#include <array>

#include "fuzz/promise.hpp"
#include "protocol/edge/dtls_record.hpp"

// Looks at an arbitrary datagram as a shard does, and checks what dtls_record.hpp promises.
namespace yuelao::edge {
namespace {

using fuzz::promise;

void check(Bytes datagram) {
  const auto record = first_dtls_record(datagram);
  const auto random = client_hello_random(datagram);
  if (record) {
    promise(datagram.size() >= 13, "a record has its header");
    promise(static_cast<std::byte>(record->content) == datagram[0],
            "the content is the first octet");
  }
  if (!random) return;
  promise(record.has_value(), "a ClientHello is in a record");
  promise(record->content == DtlsRecord::Content::handshake && record->epoch == 0,
          "a ClientHello has no keys yet");
  promise(is_dtls(datagram[0]), "a ClientHello is DTLS");
  promise(!std::ranges::search(datagram, *random).empty(), "the random is the datagram's");
}

}  // namespace
}  // namespace yuelao::edge

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  yuelao::edge::check(std::as_bytes(std::span{data, size}));
  return 0;
}

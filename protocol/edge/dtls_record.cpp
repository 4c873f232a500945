#include "protocol/edge/dtls_record.hpp"

#include <algorithm>

namespace yuelao::edge {
namespace {

constexpr std::size_t record_header_bytes = 13;
constexpr std::size_t handshake_header_bytes = 12;
constexpr std::size_t version_bytes = 2;
constexpr std::byte client_hello{1};

}  // namespace

//  0      1..2      3..4    5..10             11..12
//  type | version | epoch | sequence number | length
std::optional<DtlsRecord> first_dtls_record(Bytes datagram) {
  if (datagram.size() < record_header_bytes) return std::nullopt;
  return DtlsRecord{static_cast<DtlsRecord::Content>(datagram[0]), load_u16(datagram.subspan(3))};
}

// RFC 6347 §4.2.2: the header of a handshake message begins with its type; behind it come the
// ClientHello's version and random.
std::optional<HelloRandom> client_hello_random(Bytes datagram) {
  constexpr auto begin = record_header_bytes + handshake_header_bytes + version_bytes;
  HelloRandom random{};
  if (datagram.size() < begin + random.size()) return std::nullopt;
  const auto record = first_dtls_record(datagram);
  if (record->content != DtlsRecord::Content::handshake || record->epoch != 0 ||
      datagram[record_header_bytes] != client_hello) {
    return std::nullopt;
  }
  std::ranges::copy(datagram.subspan(begin, random.size()), random.begin());
  return random;
}

}  // namespace yuelao::edge

#include "tests/turn/session_text.hpp"

#include <iterator>
#include <map>

#include <boost/algorithm/hex.hpp>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message.hpp"
#include "tests/support/hex.hpp"
#include "tests/support/registry_file.hpp"

namespace yuelao::turn::test {
namespace {

std::string to_hex(Bytes octets) {
  std::string digits;
  const auto text = as_text(octets);
  boost::algorithm::hex_lower(text.begin(), text.end(), std::back_inserter(digits));
  return digits;
}

template <class T>
T parsed(std::optional<T> value) {
  if (!value) throw std::invalid_argument{"no value of its type"};
  return *std::move(value);
}

bool is_channel_data(Bytes octets) {
  constexpr std::size_t header = 4;
  if (octets.size() < header || (octets[0] & std::byte{0xF0}) != std::byte{0x40}) return false;
  if (octets.size() == header) return true;
  const std::size_t size = load_u16(octets.subspan(2));
  return octets.size() - header - size <= padding_to_four(size);
}

// RFC 8489 §5: the class is two bits amid the method's.
std::string message_kind(Bytes octets) {
  static const auto methods = yuelao::test::registry_file("methods.txt");
  constexpr std::array<std::string_view, 4> classes{"request", "indication", "success", "error"};
  const unsigned type = load_u16(octets);
  const unsigned method = (type & 0x0FU) | (type & 0xE0U) >> 1U | (type & 0x3E00U) >> 2U;
  const auto known = methods.find(method);
  auto kind = known == methods.end() ? std::string{"unknown"} : known->second;
  kind.append("-").append(classes.at((type & 0x10U) >> 4U | (type & 0x100U) >> 7U));
  const auto message = stun::Message::parse(octets);
  if (!message) return kind;
  if (const auto error = message->get(stun::attribute::error_code)) {
    kind.append("-").append(std::to_string(error->code));
  }
  return kind;
}

// In the RFCs' words. A header whose payload stands elsewhere counts as a whole message.
std::string kind_of(Bytes octets) {
  if (octets.empty()) return "empty";
  if (is_channel_data(octets)) return "ChannelData";
  return octets.size() >= stun::header_bytes && octets[0] < std::byte{0x40} ? message_kind(octets)
                                                                            : "data";
}

// In the order of Options. One more there is one more here: the build says so.
constexpr auto option_names = std::to_array<std::string_view>(
    {"realm", "software", "default-lifetime", "maximum-lifetime", "nonce-lifetime", "nonce-key",
     "mobility", "credentials", "tcp-relays", "relay-addresses", "peers", "limits",
     "alternate-server", "behavior-discovery"});
static_assert(option_names.size() == boost::pfr::tuple_size_v<Options>);

}  // namespace

void Line::word(std::string_view word) { text_.append(text_.empty() ? "" : " ").append(word); }

std::string_view Words::next() {
  if (rest_.empty()) throw std::invalid_argument{"too few words"};
  const auto word = rest_.substr(0, rest_.find(' '));
  rest_.remove_prefix(std::min(word.size() + 1, rest_.size()));
  return word;
}

bool Words::next_is(std::string_view word) {
  const auto before = rest_;
  if (next() == word) return true;
  rest_ = before;
  return false;
}

std::size_t place_of(std::string_view word, std::span<const std::string_view> words) {
  const auto found = std::ranges::find(words, word);
  if (found == words.end()) throw std::invalid_argument{"unknown word " + std::string{word}};
  return static_cast<std::size_t>(found - words.begin());
}

void Codec<IpAddress>::write(Line& line, const IpAddress& address) {
  line.word(address.to_string());
}
IpAddress Codec<IpAddress>::read(Words& words) { return parsed(IpAddress::parse(words.next())); }

void Codec<Endpoint>::write(Line& line, const Endpoint& endpoint) {
  line.word(endpoint.to_string());
}
Endpoint Codec<Endpoint>::read(Words& words) { return parsed(Endpoint::parse(words.next())); }

void Codec<IpRange>::write(Line& line, const IpRange& range) {
  line.word(range.first().to_string() + "-" + range.last().to_string());
}
IpRange Codec<IpRange>::read(Words& words) { return parsed(IpRange::parse(words.next())); }

void Codec<std::chrono::seconds>::write(Line& line, const std::chrono::seconds& time) {
  line.word(std::to_string(time.count()) + "s");
}
std::chrono::seconds Codec<std::chrono::seconds>::read(Words& words) {
  const auto word = words.next();
  if (!word.ends_with('s')) throw std::invalid_argument{"no time"};
  Words number{word.substr(0, word.size() - 1)};
  return std::chrono::seconds{Codec<std::chrono::seconds::rep>::read(number)};
}

void Codec<std::string>::write(Line& line, const std::string& text) {
  if (text.find_first_of(" \n") != std::string::npos) throw std::invalid_argument{"two words"};
  line.word('"' + text + '"');
}
std::string Codec<std::string>::read(Words& words) {
  const auto word = words.next();
  if (word.size() < 2) throw std::invalid_argument{"no quoted word"};
  return std::string{word.substr(1, word.size() - 2)};
}

void Codec<Secret>::write(Line& line, const Secret& secret) {
  Codec<std::string>::write(line, std::string{secret.reveal()});
}
Secret Codec<Secret>::read(Words& words) { return Secret{Codec<std::string>::read(words)}; }

void Codec<Bytes>::write(Line& line, const Bytes& octets) {
  line.word(kind_of(octets) + ":" + to_hex(octets));
}
Bytes Codec<Bytes>::read(Words& words) {
  const auto word = words.next();
  const auto colon = word.find(':');
  if (colon == std::string_view::npos) throw std::invalid_argument{"no octets"};
  return words.keep(yuelao::test::from_hex(word.substr(colon + 1)));
}

void Codec<ReservationToken>::write(Line& line, const ReservationToken& token) {
  line.word(to_hex(token));
}

void Codec<Now>::write(Line& line, const Now& now) {
  using std::chrono::seconds;
  const auto steady = duration_cast<seconds>(now.steady.time_since_epoch());
  if (SteadyTime{steady} != now.steady) throw std::invalid_argument{"a part of a second"};
  Codec<seconds>::write(line, steady);
  Codec<seconds>::write(line, now.wall.time_since_epoch());
}
Now Codec<Now>::read(Words& words) {
  const auto steady = Codec<std::chrono::seconds>::read(words);
  return {SteadyTime{steady}, WallTime{Codec<std::chrono::seconds>::read(words)}};
}

void Codec<Options>::write(Line& line, const Options& options) {
  boost::pfr::for_each_field(options, [&line](const auto& field, std::size_t place) {
    line.word(option_names.at(place));
    Codec<std::remove_cvref_t<decltype(field)>>::write(line, field);
  });
}
Options Codec<Options>::read(Words& words) {
  Options options;
  boost::pfr::for_each_field(options, [&words](auto& field, std::size_t place) {
    if (words.next() != option_names.at(place)) throw std::invalid_argument{"no such option"};
    field = Codec<std::remove_cvref_t<decltype(field)>>::read(words);
  });
  return options;
}

}  // namespace yuelao::turn::test

#pragma once

// Values of the engine as words of text, and back: a recorded session is read by people, in a
// diff above all.
//
// A type without a Codec of its own is written field by field, as Boost.PFR finds them: a field
// that is added to a Send or a Command is recorded without anybody's thinking of it. What is
// not an aggregate and has no Codec does not compile.

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <deque>
#include <expected>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/pfr.hpp>

#include "protocol/ip_range.hpp"
#include "protocol/secret.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn::test {

// A line as it is written.
class Line {
 public:
  explicit Line(std::string_view first) : text_{first} {}
  void word(std::string_view word);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// A line as it is read; throws std::invalid_argument where a word is missing. Octets that were
// read live as long as this.
class Words {
 public:
  explicit Words(std::string_view line) : rest_{line} {}
  std::string_view next();
  bool next_is(std::string_view word);  // takes it then
  bool done() const { return rest_.empty(); }
  Bytes keep(std::vector<std::byte> octets) { return kept_.emplace_back(std::move(octets)); }

 private:
  std::string_view rest_;
  std::deque<std::vector<std::byte>> kept_;
};

// What an enumerator is called; its place in the list is its value.
template <class Enum>
inline constexpr std::array<std::string_view, 0> words_of{};
template <>
inline constexpr auto words_of<Family> = std::to_array<std::string_view>({"", "IPv4", "IPv6"});
template <>
inline constexpr auto words_of<Transport> =
    std::to_array<std::string_view>({"UDP", "TCP", "TLS", "DTLS"});
template <>
inline constexpr auto words_of<RelayTransport> = std::to_array<std::string_view>({"UDP", "TCP"});
template <>
inline constexpr auto words_of<Parity> = std::to_array<std::string_view>({"any-port", "even-port"});
template <>
inline constexpr auto words_of<SocketRef::Kind> = std::to_array<std::string_view>(
    {"listener", "stream", "association", "relay", "tcp-relay", "peer", "client-data"});
template <>
inline constexpr auto words_of<RelayFailure> =
    std::to_array<std::string_view>({"no-port", "no-descriptor", "bind-failed"});
template <>
inline constexpr auto words_of<ConnectFailure> =
    std::to_array<std::string_view>({"failed", "timed-out", "no-descriptor"});
template <>
inline constexpr auto words_of<Notice::Event> = std::to_array<std::string_view>(
    {"allocation-created", "allocation-deleted", "allocation-expired", "allocation-revoked",
     "allocation-moved"});
template <>
inline constexpr auto words_of<Way> = std::to_array<std::string_view>({"to-peer", "to-client"});
template <>
inline constexpr auto words_of<PeerMode> =
    std::to_array<std::string_view>({"peer-to-peer", "media-server"});
template <>
inline constexpr auto words_of<bool> = std::to_array<std::string_view>({"no", "yes"});

// Throws std::invalid_argument.
std::size_t place_of(std::string_view word, std::span<const std::string_view> words);

template <class T>
struct Codec {
  static constexpr bool named = std::is_enum_v<T> || std::is_same_v<T, bool>;

  static void write(Line& line, const T& value) {
    if constexpr (named) {
      line.word(words_of<T>.at(static_cast<std::size_t>(value)));
    } else if constexpr (std::is_integral_v<T>) {
      line.word(std::to_string(value));
    } else {
      boost::pfr::for_each_field(value, [&line](const auto& field) {
        Codec<std::remove_cvref_t<decltype(field)>>::write(line, field);
      });
    }
  }
  static T read(Words& words) {
    T value{};
    if constexpr (named) {
      value = static_cast<T>(place_of(words.next(), words_of<T>));
    } else if constexpr (std::is_integral_v<T>) {
      const auto word = words.next();
      const auto [end, error] = std::from_chars(word.begin(), word.end(), value);
      if (end != word.end() || error != std::errc{}) throw std::invalid_argument{"no number"};
    } else {
      boost::pfr::for_each_field(value, [&words](auto& field) {
        field = Codec<std::remove_cvref_t<decltype(field)>>::read(words);
      });
    }
    return value;
  }
};

// One word each: "198.51.100.1:3478", "10.0.0.0-10.255.255.255", "600s", "\"yuelao\"".
template <>
struct Codec<IpAddress> {
  static void write(Line& line, const IpAddress& value);
  static IpAddress read(Words& words);
};
template <>
struct Codec<Endpoint> {
  static void write(Line& line, const Endpoint& value);
  static Endpoint read(Words& words);
};
template <>
struct Codec<IpRange> {
  static void write(Line& line, const IpRange& value);
  static IpRange read(Words& words);
};
template <>
struct Codec<std::chrono::seconds> {
  static void write(Line& line, const std::chrono::seconds& value);
  static std::chrono::seconds read(Words& words);
};
template <>
struct Codec<std::string> {
  static void write(Line& line, const std::string& value);
  static std::string read(Words& words);
};
template <>
struct Codec<Secret> {
  static void write(Line& line, const Secret& value);
  static Secret read(Words& words);
};
// Hexadecimal, behind what the octets are in the RFCs' words: "Refresh-error-438:0114...".
template <>
struct Codec<Bytes> {
  static void write(Line& line, const Bytes& value);
  static Bytes read(Words& words);
};
// Of outputs alone.
template <>
struct Codec<ReservationToken> {
  static void write(Line& line, const ReservationToken& value);
};
// Steady and wall time, in whole seconds.
template <>
struct Codec<Now> {
  static void write(Line& line, const Now& value);
  static Now read(Words& words);
};
// A word before each field.
template <>
struct Codec<Options> {
  static void write(Line& line, const Options& value);
  static Options read(Words& words);
};

template <class T>
struct Codec<std::optional<T>> {
  static void write(Line& line, const std::optional<T>& value) {
    if (!value) return line.word("none");
    Codec<T>::write(line, *value);
  }
  static std::optional<T> read(Words& words) {
    if (words.next_is("none")) return std::nullopt;
    return Codec<T>::read(words);
  }
};

template <class T>
struct Codec<std::vector<T>> {
  static void write(Line& line, const std::vector<T>& values) {
    line.word("[");
    for (const auto& value : values) Codec<T>::write(line, value);
    line.word("]");
  }
  static std::vector<T> read(Words& words) {
    std::vector<T> values;
    if (words.next() != "[") throw std::invalid_argument{"no list"};
    while (!words.next_is("]")) values.push_back(Codec<T>::read(words));
    return values;
  }
};

template <class T, std::size_t count>
struct Codec<std::array<T, count>> {
  static void write(Line& line, const std::array<T, count>& values) {
    for (const auto& value : values) Codec<T>::write(line, value);
  }
  static std::array<T, count> read(Words& words) {
    std::array<T, count> values{};
    for (auto& value : values) value = Codec<T>::read(words);
    return values;
  }
};

template <class T, class Error>
struct Codec<std::expected<T, Error>> {
  static void write(Line& line, const std::expected<T, Error>& outcome) {
    line.word(outcome ? "success" : "failure");
    if (!outcome) return Codec<Error>::write(line, outcome.error());
    if constexpr (!std::is_void_v<T>) Codec<T>::write(line, *outcome);
  }
  static std::expected<T, Error> read(Words& words) {
    const auto word = words.next();
    if (word == "failure") return std::unexpected{Codec<Error>::read(words)};
    if (word != "success") throw std::invalid_argument{"no outcome"};
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return Codec<T>::read(words);
    }
  }
};

}  // namespace yuelao::turn::test

#include "tests/turn/session_record.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <stdexcept>

#include <openssl/evp.h>
#include <boost/algorithm/hex.hpp>
#include <boost/mp11.hpp>

#include "tests/turn/session_text.hpp"

namespace yuelao::turn::test {
namespace {

// By their place in Input and in Command.
constexpr auto input_names = std::to_array<std::string_view>(
    {"listener", "client-message", "peer-datagram", "icmp-error", "handover", "forward",
     "relay-opened", "peer-connected", "peer-accepted", "connection-ended", "carries-data",
     "data-carried", "client-closed", "advance", "reconfigure", "readdress", "drain", "close-all"});
static_assert(input_names.size() == std::variant_size_v<Input>);
constexpr auto command_names = std::to_array<std::string_view>(
    {"OpenRelay", "OpenReserved", "CloseRelay", "CloseReserved", "ConnectPeer", "CancelConnect",
     "BindPeer", "ClosePeer", "MoveClient", "Notice"});
static_assert(command_names.size() == std::variant_size_v<Command>);
constexpr auto other_outputs = std::to_array<std::string_view>(
    {"Send", "Handover", "Forward", "accepted", "carries-data", "rest", "drop"});
constexpr std::string_view start_word = "start";
constexpr std::string_view seal_word = "= SHA-256 ";

Line input_line(ShardNumber shard, Now now, std::string_view name) {
  Line line{">"};
  Codec<ShardNumber>::write(line, shard);
  Codec<Now>::write(line, now);
  line.word(name);
  return line;
}

template <class... Values>
std::string output_line(ShardNumber shard, std::string_view name, const Values&... values) {
  Line line{"<"};
  Codec<ShardNumber>::write(line, shard);
  line.word(name);
  (Codec<Values>::write(line, values), ...);
  return line.text();
}

// How much was in the outbox, and had been dropped, before an input.
struct Before {
  Before(const Engine& engine, const Outbox& out)
      : sends{out.sends().size()},
        handovers{out.handovers().size()},
        forwards{out.forwards().size()},
        commands{out.commands().size()},
        drops{engine.counters().drops} {}

  std::size_t sends, handovers, forwards, commands;
  std::array<std::uint64_t, drop_count> drops;
};

// What an input's silence is about is an output as well.
void write_drops(std::vector<std::string>& lines, const Host& host, const Before& before) {
  for (std::size_t i = 0; i < drop_count; ++i) {
    const auto count = host.engine.counters().drops.at(i) - before.drops.at(i);
    const auto line = output_line(host.shard, "drop", std::string{name(static_cast<Drop>(i))});
    lines.insert(lines.end(), count, line);
  }
}

void write_outbox(std::vector<std::string>& lines, const Host& host, const Outbox& out,
                  const Before& before) {
  const auto add = [&](std::string_view name, const auto& value) {
    lines.push_back(output_line(host.shard, name, value));
  };
  for (const auto& one : out.sends().subspan(before.sends)) add("Send", one);
  for (const auto& one : out.handovers().subspan(before.handovers)) add("Handover", one);
  for (const auto& one : out.forwards().subspan(before.forwards)) add("Forward", one);
  for (const auto& command : out.commands().subspan(before.commands)) {
    std::visit([&](const auto& one) { add(command_names.at(command.index()), one); }, command);
  }
}

Input read_input(std::size_t index, Words& words) {
  return boost::mp11::mp_with_index<std::variant_size_v<Input>>(index, [&words](auto i) {
    return Input{Codec<std::variant_alternative_t<i, Input>>::read(words)};
  });
}

std::string digest_of(std::string_view text) {
  std::array<char, 32> digest{};
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                 EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error{"no SHA-256"};
  }
  std::string digits;
  boost::algorithm::hex_lower(digest.begin(), digest.end(), std::back_inserter(digits));
  return digits;
}

}  // namespace

void SessionRecord::start(ShardNumber shard, const Start& start, Now now) {
  auto line = input_line(shard, now, start_word);
  Codec<Start>::write(line, start);
  lines_.push_back(line.text());
}

Said SessionRecord::enter(const Host& host, const Input& input, Now now, Outbox& out) {
  auto line = input_line(host.shard, now, input_names.at(input.index()));
  std::visit([&](const auto& one) { Codec<std::remove_cvref_t<decltype(one)>>::write(line, one); },
             input);
  lines_.push_back(line.text());

  const Before before{host.engine, out};
  const auto said = give(host, input, now, out);
  write_outbox(lines_, host, out, before);
  if (std::holds_alternative<input::PeerAccepted>(input)) {
    lines_.push_back(output_line(host.shard, "accepted", said.accepted));
  }
  if (std::holds_alternative<input::CarriesData>(input)) {
    lines_.push_back(output_line(host.shard, "carries-data", said.carries_data));
  }
  if (std::holds_alternative<input::DataCarried>(input)) {
    lines_.push_back(output_line(host.shard, "rest", said.rest.count()));
  }
  write_drops(lines_, host, before);
  return said;
}

std::string SessionRecord::sealed() const {
  std::string text;
  for (const auto& line : lines_) text.append(line).append("\n");
  return seal(text);
}

std::string seal(std::string_view text) {
  return std::string{text}.append(seal_word).append(digest_of(text)).append("\n");
}

std::string_view unseal(std::string_view sealed) {
  const auto text = sealed.substr(0, std::min(sealed.rfind(seal_word), sealed.size()));
  if (seal(text) != sealed) throw std::invalid_argument{"the seal is broken"};
  return text;
}

Entry read_entry(Words& line) {
  if (line.next() != ">") throw std::invalid_argument{"no input"};
  const auto shard = Codec<ShardNumber>::read(line);
  const auto now = Codec<Now>::read(line);
  if (line.next_is(start_word)) return {shard, now, Codec<Start>::read(line)};
  return {shard, now, read_input(place_of(line.next(), input_names), line)};
}

std::vector<std::string_view> input_words() {
  std::vector<std::string_view> words{start_word};
  words.insert(words.end(), input_names.begin(), input_names.end());
  return words;
}

std::vector<std::string_view> output_words() {
  std::vector<std::string_view> words{other_outputs.begin(), other_outputs.end()};
  words.insert(words.end(), command_names.begin(), command_names.end());
  return words;
}

}  // namespace yuelao::turn::test

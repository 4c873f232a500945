#pragma once

// A session of one server's engines as text: everything they were given, and everything they
// wanted done for it, one line each. tests/vectors/session.txt is one.
//
//   # a remark
//   > SHARD STEADY WALL start SHARDS OPTIONS           an engine begins
//   > SHARD STEADY WALL client-message PATH OCTETS     an input, and the time it was given with
//   < SHARD Send FROM SOURCE TO PREFIX PAYLOAD ...     an output of the input above
//   = SHA-256 DIGEST                                   the seal: of all that stands above
//
// Fields stand in the order they have in their types.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tests/turn/session_input.hpp"

namespace yuelao::turn::test {

// What an engine begins with, beside what its shards have in common.
struct Start {
  std::size_t shards;
  Options options;
};

class SessionRecord final : public Recorder {
 public:
  void remark(std::string_view text) { lines_.push_back("# " + std::string{text}); }
  void start(ShardNumber shard, const Start& start, Now now);
  Said enter(const Host& host, const Input& input, Now now, Outbox& out) override;

  const std::vector<std::string>& lines() const { return lines_; }
  // The lines under a seal.
  std::string sealed() const;

 private:
  std::vector<std::string> lines_;
};

std::string seal(std::string_view text);
// What stands above the seal; throws std::invalid_argument where that is broken, or missing.
std::string_view unseal(std::string_view sealed);

// What a line that begins with '>' says.
struct Entry {
  ShardNumber shard;
  Now now;
  std::variant<Start, Input> given;
};
class Words;
// Views what `line` has read. Throws std::invalid_argument for what is no such line.
Entry read_entry(Words& line);

// The words that inputs and outputs begin with, each of them.
std::vector<std::string_view> input_words();
std::vector<std::string_view> output_words();

}  // namespace yuelao::turn::test

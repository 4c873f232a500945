#include "tests/turn/session_replay.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <vector>

#include "tests/turn/session_record.hpp"
#include "tests/turn/session_text.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    lines.push_back(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(lines.back().size() + 1, text.size()));
  }
  return lines;
}

// What the shards have in common, as the first of them is told.
struct Common {
  explicit Common(const Start& start)
      : quota{start.options.limits},
        directory{start.options.relay_addresses},
        bandwidth{start.shards} {}

  QuotaLedger quota;
  RelayDirectory directory;
  ReservationBook reservations;
  RoamingTable roaming;
  BandwidthPool bandwidth;
};

struct ReplayedShard {
  ReplayedShard(Common& common, ShardNumber number, const Start& start)
      : directory{common.directory},
        engine{start.options,
               {common.quota, common.directory, common.reservations, common.roaming,
                common.bandwidth, number, start.shards},
               random} {}

  CountingRandom random;
  RelayDirectory directory;
  Engine engine;
};

class Replay {
 public:
  // Gives the input that the line says; returns the lines that are to stand there.
  std::vector<std::string> play(std::string_view line);

 private:
  void start(const Entry& entry, const Start& start);

  std::optional<Common> common_;
  std::map<ShardNumber, ReplayedShard> shards_;
  SessionRecord record_;
  Outbox out_;
};

void Replay::start(const Entry& entry, const Start& start) {
  if (!common_) common_.emplace(start);
  shards_.try_emplace(entry.shard, *common_, entry.shard, start);
  record_.start(entry.shard, start, entry.now);
}

std::vector<std::string> Replay::play(std::string_view line) {
  const auto before = static_cast<std::ptrdiff_t>(record_.lines().size());
  Words words{line};
  const auto entry = read_entry(words);
  if (const auto* begun = std::get_if<Start>(&entry.given)) {
    start(entry, *begun);
  } else {
    auto& shard = shards_.at(entry.shard);
    out_.clear();
    record_.enter({entry.shard, shard.engine, shard.directory}, std::get<Input>(entry.given),
                  entry.now, out_);
  }
  return {record_.lines().begin() + before, record_.lines().end()};
}

}  // namespace

std::optional<Parting> replay(std::string_view text) {
  const auto lines = lines_of(text);
  const auto recorded = [&](std::size_t at) {
    return at < lines.size() ? std::string{lines[at]} : "the end";
  };
  Replay replay;
  for (std::size_t at = 0; at < lines.size();) {
    if (lines[at].starts_with('#')) {
      ++at;
      continue;
    }
    if (!lines[at].starts_with('>')) return Parting{at + 1, recorded(at), "nothing more"};
    std::vector<std::string> played;
    try {
      played = replay.play(lines[at]);
    } catch (const std::exception& problem) {
      return Parting{at + 1, recorded(at), std::string{"cannot be read: "} + problem.what()};
    }
    for (const auto& line : played) {
      if (recorded(at) != line) return Parting{at + 1, recorded(at), line};
      ++at;
    }
  }
  return std::nullopt;
}

}  // namespace yuelao::turn::test

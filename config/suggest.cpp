#include "config/suggest.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace yuelao::config {
namespace {

// Levenshtein's distance, but two letters in the wrong order are a lesser slip than a
// wrong one: `relam` is `realm`, not `relay`.
constexpr std::size_t swap_cost = 1;
constexpr std::size_t edit_cost = 2;

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last(b.size() + 1);
  for (std::size_t j = 0; j < last.size(); ++j) last[j] = j * edit_cost;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::vector<std::size_t> row(b.size() + 1);
    row[0] = i * edit_cost;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : edit_cost);
      row[j] = std::min({replaced, last[j] + edit_cost, row[j - 1] + edit_cost});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + swap_cost);
    }
    before_last = std::exchange(last, std::move(row));
  }
  return last[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view written, std::span<const std::string> words) {
  // A third of the letters may differ; beyond that a suggestion misleads.
  std::size_t best = (written.size() / 3 + 1) * edit_cost;
  std::string_view found;
  // No word is this long; without the bound a hostile key costs its length squared.
  if (written.size() > 64) return found;
  for (const auto& word : words) {
    if (const auto d = distance(written, word); d < best || (d == best && found.empty())) {
      best = d;
      found = word;
    }
  }
  return found;
}

}  // namespace yuelao::config

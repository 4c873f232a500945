#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "protocol/stun/credentials.hpp"

namespace yuelao::stun {
namespace {

using CodePoint = utf8proc_int32_t;
using Text = std::span<const CodePoint>;

struct Range {
  CodePoint first, last;
};

template <std::size_t count>
constexpr bool in(const std::array<Range, count>& ranges, CodePoint code_point) {
  return std::ranges::any_of(ranges, [&](const Range& range) {
    return range.first <= code_point && code_point <= range.last;
  });
}

// RFC 8264 §9.6, the exceptions (RFC 5892 §2.6).
constexpr std::array<Range, 6> always_valid{{{0x00DF, 0x00DF},
                                             {0x03C2, 0x03C2},
                                             {0x06FD, 0x06FE},
                                             {0x0F0B, 0x0F0B},
                                             {0x3007, 0x3007},
                                             {0x0020, 0x007E}}};
constexpr std::array<Range, 5> exceptions_disallowed{
    {{0x0640, 0x0640}, {0x07FA, 0x07FA}, {0x302E, 0x302F}, {0x3031, 0x3035}, {0x303B, 0x303B}}};

// RFC 8264 §9.9, OldHangulJamo: Hangul_Syllable_Type L, V or T.
constexpr std::array<Range, 4> old_hangul_jamo{
    {{0x1100, 0x11FF}, {0xA960, 0xA97C}, {0xD7B0, 0xD7C6}, {0xD7CB, 0xD7FB}}};

// Script property values that the contextual rules ask for; the blocks' letters.
constexpr std::array<Range, 9> greek{{{0x0370, 0x0373},
                                      {0x0375, 0x0377},
                                      {0x037A, 0x037D},
                                      {0x037F, 0x037F},
                                      {0x0384, 0x0384},
                                      {0x0386, 0x0386},
                                      {0x0388, 0x03E1},
                                      {0x03F0, 0x03FF},
                                      {0x1F00, 0x1FFE}}};
constexpr std::array<Range, 2> hebrew{{{0x0591, 0x05F4}, {0xFB1D, 0xFB4F}}};
constexpr std::array<Range, 14> kana_or_han{{{0x2E80, 0x2FD5},
                                             {0x3005, 0x3005},
                                             {0x3007, 0x3007},
                                             {0x3021, 0x3029},
                                             {0x3038, 0x303B},
                                             {0x3041, 0x3096},
                                             {0x309D, 0x309F},
                                             {0x30A1, 0x30FA},
                                             {0x30FD, 0x30FF},
                                             {0x31F0, 0x31FF},
                                             {0x3400, 0x9FFF},
                                             {0xF900, 0xFAFF},
                                             {0xFF66, 0xFF9D},
                                             {0x1B000, 0x323AF}}};
constexpr std::array<Range, 1> arabic_indic_digits{{{0x0660, 0x0669}}};
constexpr std::array<Range, 1> extended_arabic_indic_digits{{{0x06F0, 0x06F9}}};

// Joining_Type D, and R, of the Arabic block's letters: where the zero-width
// non-joiner is an everyday character (Persian). Other joining scripts are refused.
constexpr std::array<Range, 15> dual_joining{{{0x0620, 0x0620},
                                              {0x0626, 0x0626},
                                              {0x0628, 0x0628},
                                              {0x062A, 0x062E},
                                              {0x0633, 0x063F},
                                              {0x0641, 0x0647},
                                              {0x0649, 0x064A},
                                              {0x066E, 0x066F},
                                              {0x0678, 0x0687},
                                              {0x069A, 0x06BF},
                                              {0x06C1, 0x06C2},
                                              {0x06CC, 0x06CC},
                                              {0x06CE, 0x06CE},
                                              {0x06D0, 0x06D1},
                                              {0x06FA, 0x06FC}}};
constexpr std::array<Range, 13> right_joining{{{0x0622, 0x0625},
                                               {0x0627, 0x0627},
                                               {0x0629, 0x0629},
                                               {0x062F, 0x0632},
                                               {0x0648, 0x0648},
                                               {0x0671, 0x0673},
                                               {0x0675, 0x0677},
                                               {0x0688, 0x0699},
                                               {0x06C0, 0x06C0},
                                               {0x06C3, 0x06CB},
                                               {0x06CD, 0x06CD},
                                               {0x06CF, 0x06CF},
                                               {0x06D2, 0x06D5}}};

constexpr utf8proc_propval_t virama = 9;  // Canonical_Combining_Class

bool follows_virama(Text text, std::size_t at) {
  return at > 0 && utf8proc_get_property(text[at - 1])->combining_class == virama;
}

bool transparent(CodePoint code_point) {
  const auto category = utf8proc_category(code_point);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME ||
         category == UTF8PROC_CATEGORY_CF;
}

// RFC 5892 appendix A.1, the second way: (D) T* ZWNJ T* (R or D).
bool between_joining_letters(Text text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && transparent(text[before - 1])) --before;
  std::size_t after = at + 1;
  while (after < text.size() && transparent(text[after])) ++after;
  return before > 0 && after < text.size() && in(dual_joining, text[before - 1]) &&
         (in(dual_joining, text[after]) || in(right_joining, text[after]));
}

template <std::size_t count>
bool any_in(Text text, const std::array<Range, count>& ranges) {
  return std::ranges::any_of(text, [&](CodePoint code_point) { return in(ranges, code_point); });
}

// RFC 5892 appendix A: code points that are allowed in certain company only.
// Empty where no rule speaks of the code point.
std::optional<bool> allowed_by_context(Text text, std::size_t at) {
  const auto code_point = text[at];
  const auto before = at > 0 ? text[at - 1] : 0;
  const auto after = at + 1 < text.size() ? text[at + 1] : 0;
  if (in(arabic_indic_digits, code_point)) return !any_in(text, extended_arabic_indic_digits);
  if (in(extended_arabic_indic_digits, code_point)) return !any_in(text, arabic_indic_digits);
  switch (code_point) {
    case 0x200C:
      return follows_virama(text, at) || between_joining_letters(text, at);
    case 0x200D:
      return follows_virama(text, at);
    case 0x00B7:
      return before == 'l' && after == 'l';
    case 0x0375:
      return in(greek, after);
    case 0x05F3:
    case 0x05F4:
      return in(hebrew, before);
    case 0x30FB:
      return any_in(text, kana_or_han);
    default:
      return std::nullopt;
  }
}

bool noncharacter(CodePoint code_point) {
  return (code_point & 0xFFFE) == 0xFFFE || (code_point >= 0xFDD0 && code_point <= 0xFDEF);
}

// RFC 8264 §8 in its order, for the FreeformClass: what is PVALID or FREE_PVAL there.
// HasCompat and the categories of letters, digits, spaces, symbols and punctuation are
// all valid, so only the others need a look.
bool allowed(Text text, std::size_t at) {
  const auto code_point = text[at];
  if (in(always_valid, code_point)) return true;
  if (in(exceptions_disallowed, code_point)) return false;
  if (const auto by_context = allowed_by_context(text, at)) return *by_context;
  if (in(old_hangul_jamo, code_point) || noncharacter(code_point)) return false;
  if (utf8proc_get_property(code_point)->ignorable) return false;
  switch (utf8proc_category(code_point)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

std::optional<std::vector<CodePoint>> decode_utf8(std::string_view text) {
  std::vector<CodePoint> code_points;
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    CodePoint code_point = 0;
    const auto size = utf8proc_iterate(at, left, &code_point);
    if (size <= 0) return std::nullopt;
    code_points.push_back(code_point);
    at += size;
    left -= size;
  }
  return code_points;
}

std::optional<std::vector<CodePoint>> allowed_code_points(std::string_view text) {
  auto code_points = decode_utf8(text);
  if (!code_points) return std::nullopt;
  for (std::size_t at = 0; at < code_points->size(); ++at) {
    if (!allowed(*code_points, at)) return std::nullopt;
  }
  return code_points;
}

std::string encode_utf8(Text code_points) {
  std::string text;
  for (const auto code_point : code_points) {
    std::array<utf8proc_uint8_t, 4> octets{};
    const auto size = utf8proc_encode_char(code_point, octets.data());
    text.append(reinterpret_cast<const char*>(octets.data()), static_cast<std::size_t>(size));
  }
  return text;
}

// `text` is well-formed and holds no NUL. Empty when memory is.
std::optional<std::string> normalised(const std::string& text) {
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> result{
      utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str())), &std::free};
  if (!result) return std::nullopt;
  return reinterpret_cast<const char*>(result.get());
}

bool printable_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7E; });
}

}  // namespace

std::optional<std::string> opaque_string(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (printable_ascii(text)) return std::string{text};

  // §4.2.1: preparation.
  auto code_points = allowed_code_points(text);
  if (!code_points) return std::nullopt;
  // §4.2.2: enforcement. Rule 2 maps spaces, rule 4 normalises; the others do nothing.
  for (auto& code_point : *code_points) {
    if (utf8proc_category(code_point) == UTF8PROC_CATEGORY_ZS) code_point = ' ';
  }
  auto result = normalised(encode_utf8(*code_points));
  // §5: the result has to be stable. NFC turns U+0387 into U+00B7, for one, which is
  // allowed in certain company only.
  if (!result || !allowed_code_points(*result)) return std::nullopt;
  return result;
}

}  // namespace yuelao::stun

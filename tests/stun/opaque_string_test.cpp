#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

#include "protocol/stun/credentials.hpp"

namespace yuelao::stun::opaque_string_test {
namespace {

// Code points and octets that no well-formed text holds, which CAPTURE cannot show.
struct Row {
  std::string_view what, text;
};

}  // namespace

TEST_CASE("OpaqueString keeps what it allows") {  // RFC 8265 §4.3, RFC 8264 §9
  constexpr std::array rows{
      Row{"example 12: ASCII space", "correct horse battery staple"},
      Row{"example 13: case stays", "Correct Horse Battery Staple"},
      Row{"example 14: letters", "\u03C0\u00DF\u00E5"},
      Row{"example 15: symbols", "Jack of \u2666s"},
      Row{"all of printable ASCII's edges", " ~"},
      Row{"RFC 5769's user name", "\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9"},
      Row{"compatibility characters", "\u00AA\u2168\uFB01\uFF21"},
      Row{"beyond the first plane", "\U0001F600\U00020000"},
      Row{"exceptions that are valid", "\u03C2\u06FD\u06FE\u0F0B\u3007"},
      Row{"precomposed Hangul", "\uAC00"},
      Row{"enclosing mark, title case, numbers", "a\u20DD\u01C5\u00B2\u2160"},
      Row{"the replacement character is a symbol", "\uFFFD"},
  };
  for (const auto& [what, text] : rows) {
    CAPTURE(what);
    CHECK(opaque_string(text) == std::string{text});
  }
}

TEST_CASE("OpaqueString maps spaces and composes") {  // RFC 8265 §4.2.2, rules 2 and 4
  struct Mapping {
    std::string_view what, text, result;
  };
  constexpr std::array rows{
      Mapping{"example 16: Ogham space mark", "foo\u1680bar", "foo bar"},
      Mapping{"no-break space", "a\u00A0b", "a b"},
      Mapping{"ideographic space", "\u3000", " "},
      Mapping{"two spaces stay two", "a\u2003\u2003b", "a  b"},
      Mapping{"combining ring becomes part of the letter", "a\u030A", "\u00E5"},
      Mapping{"singleton: OHM SIGN", "\u2126", "\u03A9"},
      Mapping{"singleton: ANGSTROM SIGN", "\u212B", "\u00C5"},
      Mapping{"marks in canonical order", "q\u0307\u0323", "q\u0323\u0307"},
  };
  for (const auto& [what, text, result] : rows) {
    CAPTURE(what);
    CHECK(opaque_string(text) == std::string{result});
  }
}

TEST_CASE("OpaqueString refuses what the FreeformClass disallows") {  // RFC 8264 §4.3
  using namespace std::string_view_literals;
  constexpr std::array rows{
      Row{"example 17: empty", ""},
      Row{"example 18: TAB", "my cat is a \tby"},
      Row{"NUL", "a\0b"sv},
      Row{"DEL", "\x7F"},
      Row{"C1 control", "\u0085"},
      Row{"soft hyphen", "The\u00ADM\u00AAtr\u2168"},
      Row{"zero width space", "a\u200Bb"},
      Row{"byte order mark", "\uFEFFa"},
      Row{"line separator", "\u2028"},
      Row{"paragraph separator", "\u2029"},
      Row{"private use", "\uE000"},
      Row{"private use of plane 15", "\U000F0000"},
      Row{"noncharacter", "\uFDD0"},
      Row{"last code point", "\U0010FFFF"},
      Row{"unassigned", "\u0378"},
      Row{"conjoining jamo", "\u1100\u1161"},
      Row{"Hangul filler, ignorable", "\u3164"},
      Row{"variation selector, ignorable", "a\uFE0F"},
      Row{"tag character", "\U000E0041"},
      Row{"Arabic tatweel", "\u0640"},
      Row{"vertical kana repeat mark", "\u3031"},
      Row{"Arabic number sign, a format character", "\u0600"},
      Row{"a good start does not help", "good\u200B"},
      Row{"Greek ano teleia, which NFC makes a middle dot", "\u0387"},
  };
  for (const auto& [what, text] : rows) {
    CAPTURE(what);
    CHECK_FALSE(opaque_string(text));
  }
}

TEST_CASE("OpaqueString refuses what is not UTF-8") {  // RFC 3629 §3
  using namespace std::string_view_literals;
  constexpr std::array rows{
      Row{"continuation alone", "\x80"},
      Row{"cut off", "a\xC3"},
      Row{"overlong slash", "\xC0\xAF"},
      Row{"overlong of three", "\xE0\x80\xAF"},
      Row{"surrogate", "\xED\xA0\x80"},
      Row{"above the last code point", "\xF4\x90\x80\x80"},
      Row{"five octets", "\xF8\x88\x80\x80\x80"},
      Row{"0xFF", "\xFF"},
      Row{"wrong continuation", "\xC3("},
  };
  for (const auto& [what, text] : rows) {
    CAPTURE(what);
    CHECK_FALSE(opaque_string(text));
  }
}

TEST_CASE("some code points are allowed in certain company only") {  // RFC 5892 appendix A
  struct Company {
    std::string_view what, text;
    bool allowed;
  };
  constexpr std::array rows{
      Company{"A.1: non-joiner behind a virama", "\u0915\u094D\u200C\u0937", true},
      Company{"A.1: non-joiner between joining letters", "\u0645\u06CC\u200C\u062E\u0648", true},
      Company{"A.1: with a mark in between", "\u0645\u064E\u200C\u064E\u062E", true},
      Company{"A.1: behind a letter that does not join", "\u0627\u200C\u0645", false},
      Company{"A.1: between Latin letters", "a\u200Cb", false},
      Company{"A.1: first", "\u200C\u0645", false},
      Company{"A.1: last", "\u0645\u200C", false},
      Company{"A.2: joiner behind a virama", "\u0915\u094D\u200D", true},
      Company{"A.2: joiner between joining letters", "\u0645\u200D\u0645", false},
      Company{"A.3: middle dot in l\u00B7l", "col\u00B7lapse", true},
      Company{"A.3: middle dot elsewhere", "a\u00B7b", false},
      Company{"A.3: l on one side", "l\u00B7b", false},
      Company{"A.4: keraia before Greek", "\u0375\u03B2", true},
      Company{"A.4: keraia before Latin", "\u0375b", false},
      Company{"A.4: keraia last", "\u03B2\u0375", false},
      Company{"A.5: geresh behind Hebrew", "\u05D0\u05F3", true},
      Company{"A.5: geresh first", "\u05F3\u05D0", false},
      Company{"A.6: gershayim behind Hebrew", "\u05D0\u05F4", true},
      Company{"A.6: gershayim behind Latin", "a\u05F4", false},
      Company{"A.7: katakana middle dot with katakana", "\u30A2\u30FB\u30A4", true},
      Company{"A.7: with Han anywhere", "a\u30FB\u4E00", true},
      Company{"A.7: alone", "a\u30FBb", false},
      Company{"A.8: Arabic-Indic digits", "\u0660\u0669", true},
      Company{"A.9: extended Arabic-Indic digits", "\u06F0\u06F9", true},
      Company{"A.8, A.9: both", "\u0660\u06F0", false},
  };
  for (const auto& [what, text, allowed] : rows) {
    CAPTURE(what);
    CHECK(opaque_string(text).has_value() == allowed);
  }
}

TEST_CASE("preparing twice changes nothing more") {
  for (const auto* text : {"a\u030A\u3000b", "\u2126", "l\u0387l", "q\u0307\u0323"}) {
    const auto once = opaque_string(text);
    REQUIRE(once);
    CHECK(opaque_string(*once) == once);
  }
}

}  // namespace yuelao::stun::opaque_string_test

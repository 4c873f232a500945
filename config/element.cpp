#include "config/element.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

namespace yuelao::config {
namespace {

constexpr std::size_t longest_text_bytes = 64UL * 1024;
// The deepest legal value is an item's key in a list: 4.
constexpr std::size_t deepest_nesting = 16;

Position position(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

Position end_of(std::string_view text) {
  const auto line_start = text.rfind('\n') + 1;  // 0 without a newline: npos + 1
  return {static_cast<int>(std::ranges::count(text, '\n')) + 1,
          static_cast<int>(text.size() - line_start) + 1};
}

// At the end of the text yaml-cpp has lost its column.
Position position(const YAML::Exception& error, std::string_view text) {
  const bool at_end = error.mark.is_null() || std::cmp_greater_equal(error.mark.pos, text.size());
  return at_end ? end_of(text) : position(error.mark);
}

// Builds the tree from yaml-cpp's events; its own node type forgets where a key without
// a value stood and lets the last of two equal keys win. A Problem thrown here ends the
// parsing and is caught in parse_yaml.
class TreeBuilder final : public YAML::EventHandler {
 public:
  Element take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    add({.kind = Element::Kind::nothing, .at = position(mark), .text{}, .items{}, .members{}});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Problem{position(mark), "an alias (*name) cannot be used here: write the value itself."};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    refuse_tag(mark, tag);
    add({.kind = Element::Kind::scalar, .at = position(mark), .text = value, .items{}, .members{}});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(Element::Kind::list, mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(Element::Kind::map, mark);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Element element;
    std::optional<Member> awaits_value;
  };

  // "?" and "!" are yaml-cpp's marks of plain and quoted scalars.
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw Problem{position(mark),
                  "the tag " + backquoted(tag) + " cannot be used here: remove it."};
  }

  void open(Element::Kind kind, const YAML::Mark& mark) {
    if (open_.size() == deepest_nesting) {
      throw Problem{position(mark), "this is nested too deeply: no setting needs so many levels."};
    }
    Open opened;
    opened.element.kind = kind;
    opened.element.at = position(mark);
    open_.push_back(std::move(opened));
  }

  void close() {
    Element closed = std::move(open_.back().element);
    open_.pop_back();
    add(std::move(closed));
  }

  void add(Element&& element) {
    if (open_.empty()) {
      root_ = std::move(element);
    } else if (auto& parent = open_.back(); parent.element.kind == Element::Kind::list) {
      parent.element.items.push_back(std::move(element));
    } else if (parent.awaits_value) {
      parent.awaits_value->value = std::move(element);
      parent.element.members.push_back(std::move(*parent.awaits_value));
      parent.awaits_value.reset();
    } else {
      parent.awaits_value = key(parent.element, std::move(element));
    }
  }

  static Member key(const Element& map, Element&& element) {
    if (element.kind != Element::Kind::scalar) {
      throw Problem{element.at, "a key must be a word, followed by a colon and its value."};
    }
    const auto same = std::ranges::find(map.members, element.text, &Member::key);
    if (same != map.members.end()) {
      throw Problem{element.at, backquoted(element.text) +
                                    " stands here a second time (first in line " +
                                    std::to_string(same->at.line) + "): keep one of the two."};
    }
    return {std::move(element.text), element.at, {}};
  }

  Element root_;
  std::vector<Open> open_;
};

}  // namespace

std::string printable(std::string_view text) {
  std::string shown{text};
  std::ranges::replace_if(shown, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return shown;
}

std::string backquoted(std::string_view text) {
  constexpr std::size_t longest = 60;
  const bool cut = text.size() > longest;
  if (cut) {
    // Not inside a character of UTF-8.
    std::size_t end = longest;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text = text.substr(0, end);
  }
  return "`" + printable(text) + (cut ? "..." : "") + "`";
}

const Element* Element::find(std::string_view key) const {
  const auto member = std::ranges::find(members, key, &Member::key);
  return member == members.end() ? nullptr : &member->value;
}

Read<Element> parse_yaml(std::string_view text) {
  if (text.size() > longest_text_bytes) {
    return std::unexpected{Problem{{}, "this is larger than 64 KiB: is it the right file?"}};
  }
  try {
    std::istringstream stream{std::string{text}};
    YAML::Parser parser{stream};
    TreeBuilder builder;
    parser.HandleNextDocument(builder);
    Element root = builder.take_root();
    TreeBuilder second;
    if (parser.HandleNextDocument(second)) {
      return std::unexpected{
          Problem{second.take_root().at, "a second document starts here: keep everything in one."}};
    }
    return root;
  } catch (const Problem& problem) {
    return std::unexpected{problem};
  } catch (const YAML::Exception& error) {
    return std::unexpected{Problem{position(error, text),
                                   "this is not YAML: " + backquoted(error.msg) +
                                       "; check the indentation, quotes and brackets up to here."}};
  }
}

}  // namespace yuelao::config

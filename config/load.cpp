#include "config/load.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "config/check.hpp"
#include "config/element.hpp"
#include "config/keys.hpp"
#include "config/settings.hpp"
#include "config/values.hpp"

namespace yuelao::config {
namespace {

// The word before the dot, or all of it.
std::string_view section_of(std::string_view key) { return key.substr(0, key.find('.')); }

bool in_section(std::string_view key, std::string_view section) {
  return key.size() > section.size() && key.starts_with(section) && key[section.size()] == '.';
}

// The words that may stand in `section`; at the top when it is empty.
std::vector<std::string> keys_in(std::string_view section) {
  std::vector<std::string> keys;
  for (const auto& setting : settings()) {
    std::string_view key = setting.key;
    if (!section.empty()) {
      if (!in_section(key, section)) continue;
      key.remove_prefix(section.size() + 1);
    }
    const std::string word{section_of(key)};
    if (keys.empty() || keys.back() != word) keys.push_back(word);
  }
  return keys;
}

bool is_section(std::string_view word) {
  return std::ranges::any_of(settings(),
                             [&](const Setting& setting) { return in_section(setting.key, word); });
}

const Setting* setting_named(std::string_view key) {
  const auto all = settings();
  const auto found = std::ranges::find(all, key, &Setting::key);
  return found == all.end() ? nullptr : &*found;
}

// A key that is right but stands in the wrong section.
Problem misplaced_or_unknown(const Member& member, std::string_view section) {
  if (setting_named(member.key) && member.key.contains('.')) {
    const std::string owner{section_of(member.key)};
    return {member.at, "sections are not written with a dot: write `" + owner +
                           ":` and indented below it `" + member.key.substr(owner.size() + 1) +
                           ":`."};
  }
  for (const auto& setting : settings()) {
    const auto owner = section_of(setting.key);
    if (in_section(setting.key, owner) && setting.key.substr(owner.size() + 1) == member.key) {
      return {member.at, backquoted(member.key) + " belongs into the section `" +
                             std::string{owner} + "`: did you mean `" + std::string{setting.key} +
                             "`?"};
    }
  }
  if (!section.empty() && setting_named(member.key)) {
    return {member.at, backquoted(member.key) +
                           " belongs to no section: did you mean to begin its "
                           "line at the left edge?"};
  }
  return unknown_key(member, section, keys_in(section));
}

Read<void> read_map(const Element& map, std::string_view section, Draft& draft) {
  if (map.kind == Element::Kind::nothing) return {};
  if (map.kind != Element::Kind::map) {
    const auto example =
        section.empty() ? std::string{"realm: example.org"} : keys_in(section).front() + ": ...";
    return std::unexpected{
        Problem{map.at, "keys with values belong here, such as `" + example + "`."}};
  }
  for (const auto& member : map.members) {
    const std::string key = section.empty() ? member.key : std::string{section} + "." + member.key;
    Read<void> done;
    const bool dotted = member.key.contains('.');
    if (const auto* setting = setting_named(key); setting && !dotted) {
      // What lacks its value is pointed at by its key: there is nothing else to see.
      Element value = member.value;
      if (value.kind == Element::Kind::nothing) value.at = member.at;
      done = setting->read(value, draft);
    } else if (section.empty() && is_section(member.key)) {
      done = read_map(member.value, member.key, draft);
    } else {
      done = std::unexpected{misplaced_or_unknown(member, section)};
    }
    if (!done) return done;
  }
  return {};
}

// turns: clients look at 5349 unless told otherwise (RFC 7065 §3.2), also over UDP (RFC 7350 §4.6).
void add_default_tls_listeners(const Element& root, Config& config) {
  if (!config.tls || root.find("listen")) return;
  for (const auto transport : {Transport::tls, Transport::dtls}) {
    config.listen.push_back({transport, std::nullopt, 5349});
  }
}

void note_places(const Element& root, const std::string& name, TlsFiles& files) {
  const auto* section = root.find("tls");
  const auto place = [&](std::string_view key) {
    const auto at = section->find(key)->at;
    return name + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  };
  files.certificate_place = place("certificate");
  files.key_place = place("key");
}

Read<Config> read_config(std::string_view text, const std::string& name) {
  const auto root = parse_yaml(text);
  if (!root) return std::unexpected{root.error()};
  Draft draft{{}, SecretReader{std::filesystem::path{name}.parent_path()}};
  if (const auto done = read_map(*root, {}, draft); !done) return std::unexpected{done.error()};
  add_default_tls_listeners(*root, draft.config);
  if (const auto done = check_together(*root, draft.config); !done) {
    return std::unexpected{done.error()};
  }
  if (draft.config.tls) note_places(*root, name, *draft.config.tls);
  draft.config.secret_files = draft.secrets.files();
  auto warnings = draft.secrets.warnings();
  std::ranges::move(second_thoughts(*root, draft.config), std::back_inserter(warnings));
  for (auto& [at, sentence] : warnings) {
    draft.config.warnings.push_back(
        ConfigError{name, at.line, at.column, std::move(sentence)}.to_string());
  }
  return std::move(draft.config);
}

}  // namespace

std::expected<Config, ConfigError> parse(std::string_view text, const std::string& name) {
  auto config = read_config(text, name);
  if (config) return std::move(*config);
  auto& [at, sentence] = config.error();
  return std::unexpected{ConfigError{name, at.line, at.column, std::move(sentence)}};
}

std::expected<Config, ConfigError> load(const std::filesystem::path& path) {
  const auto refused = [&](const std::string& sentence) {
    return std::unexpected{ConfigError{path.string(), 0, 0, sentence}};
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return refused("this is a directory: name the file in it.");
  }
  std::ifstream file{path, std::ios::binary};
  if (!file) {
    return refused(std::string{"this cannot be read ("} + std::strerror(errno) +
                   "): check its name and who may read it.");
  }
  // One octet more than parse_yaml takes, so that an endless file is refused by it.
  std::string text(64UL * 1024 + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse(text, path.string());
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys;
  for (const auto& setting : settings()) keys.emplace_back(setting.key);
  for (const auto& key : user_keys) keys.push_back("users." + key);
  for (const auto& key : secret_keys) keys.push_back("secrets." + key);
  for (const auto& key : secret_keys) keys.push_back("credentials.keys." + key);
  for (const auto& key : external_address_keys) keys.push_back("external_address." + key);
  return keys;
}

}  // namespace yuelao::config

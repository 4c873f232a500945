#pragma once

#include <span>
#include <string_view>

#include "config/config.hpp"
#include "config/element.hpp"
#include "config/secrets.hpp"

namespace yuelao::config {

// A configuration while it is read.
struct Draft {
  Config config;
  SecretReader secrets;
};

// One key of the file and what its value does. Keys of sections are written
// "section.key".
struct Setting {
  std::string_view key;
  Read<void> (*read)(const Element& element, Draft& draft);
};

// Every setting there is, in the order of config/yuelao.yaml.
std::span<const Setting> settings();

}  // namespace yuelao::config

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/element.hpp"

namespace yuelao::config {

// One line of coturn's turnserver.conf.
struct CoturnOption {
  std::string name;
  std::string value;  // empty where the line is a name alone
  Position at;        // of the name
  Position value_at;
};

// Reads such a file as coturn's own parser does: `name=value`, `name = value` and
// `name value` are the same, a value may stand between double quotes, and only a `#` at the
// beginning of a line makes it a comment. Every text is some list of options; repeated ones
// stay, in their order.
std::vector<CoturnOption> read_turnserver_conf(std::string_view text);

// A flag's value: true for none at all, for `1`, `yes`, `true`, and whatever else does not
// begin as `0`, `no` or `false` do.
bool coturn_flag(std::string_view value);

}  // namespace yuelao::config

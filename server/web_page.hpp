#pragma once

#include <string_view>

namespace yuelao::server {

// The connection check (web/): one HTML file that loads nothing from anywhere. The admin
// listener serves it, and `yuelao web-page` prints it.
extern const std::string_view web_page;

// Its Content-Security-Policy, by the hashes of its script and style. The page carries it
// too, but for who may frame it: only a header can say that.
extern const std::string_view web_page_policy;

}  // namespace yuelao::server

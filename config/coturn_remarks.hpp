#pragma once

#include <string_view>

namespace yuelao::config {

// What becomes of an option of coturn's that has no key of its own here: one sentence for
// a comment. Of one that coturn does not know either, that.
std::string_view coturn_remark(std::string_view option);

}  // namespace yuelao::config

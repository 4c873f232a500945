#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace yuelao::test {

// The octets of a text of hexadecimal digits, spaces, and comments from # to the end
// of the line. Throws std::invalid_argument for anything else.
std::vector<std::byte> from_hex(std::string_view text);

// from_hex() of tests/vectors/`name`; tests/vectors/SOURCES.md says where it is from.
std::vector<std::byte> vector_file(const std::string& name);

}  // namespace yuelao::test

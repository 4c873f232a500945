#pragma once

#include <map>
#include <string>

namespace yuelao::test {

// The rows "number: name" of tests/vectors/`name`. Throws std::invalid_argument for a
// missing file, a row of another form, and a number that occurs twice.
std::map<unsigned, std::string> registry_file(const std::string& name);

}  // namespace yuelao::test

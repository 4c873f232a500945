#pragma once

#include <string>
#include <string_view>

namespace yuelao {

// What somebody else wrote, a server or the owner of a program, fit for a terminal: a "?" for each
// octet that is not printable ASCII, and no more than 128 of them.
inline std::string printable(std::string_view text) {
  std::string safe{text.substr(0, 128)};
  for (char& octet : safe) {
    if (octet < ' ' || octet > '~') octet = '?';
  }
  return safe;
}

}  // namespace yuelao

#include "server/web_page.hpp"

#include <iostream>

#include "server/command/command.hpp"

namespace yuelao::server {

int print_web_page() {
  std::cout << web_page << std::flush;
  return std::cout ? succeeded : fail("the page could not be written: is the disk full?");
}

}  // namespace yuelao::server

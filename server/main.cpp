#include <exception>
#include <iostream>

#include "server/command/command_line.hpp"

// Whatever stops the server while it starts ends here as one sentence.
int main(int argc, char** argv) {
  try {
    return yuelao::server::run_command(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "yuelao: " << error.what() << "\n";
    return 1;
  }
}

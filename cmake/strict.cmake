# Warnings are a target. They are errors in the presets only, so that a newer
# compiler's new warning never keeps a user from building.
option(YUELAO_WERROR "Treat warnings as errors" OFF)

add_library(yuelao_strict INTERFACE)
add_library(yuelao::strict ALIAS yuelao_strict)
target_compile_options(yuelao_strict INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast
  # GCC 12 sees uninitialised members in every std::variant once sanitizers are on.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  # It inlines one half of the operators that Asio gives to coroutine frames, and then
  # takes the other half for the global one.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>
  $<$<BOOL:${YUELAO_WERROR}>:-Werror>)

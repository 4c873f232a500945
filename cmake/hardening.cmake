# A fault in memory is to end the process and not to be of use to whoever found it: for what is
# optimised and runs on the Internet (the release preset). tests/hardening looks for each.
option(YUELAO_HARDENING "Compile and link for an exposed server" OFF)
if(NOT YUELAO_HARDENING)
  return()
endif()

add_compile_options(
  -fPIE  # an address space nobody can foresee; all there is ends in an executable
  -fstack-protector-strong
  -fstack-clash-protection
  # Some distributions set another level, and the compiler warns of two.
  -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
  -D_GLIBCXX_ASSERTIONS)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_compile_options(-fcf-protection=full)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
  add_compile_options(-mbranch-protection=standard)
endif()

# Nothing that calls go through can be written to, nor is anything that can be written to run.
add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)

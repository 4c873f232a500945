cmake_minimum_required(VERSION 3.25)
# Joins the page's sources into one HTML file that loads nothing, and writes it as a C++
# constant too. Run with -P; needs SOURCE, MODULES (by commas, each after those it imports),
# PAGE and CONSTANT.

# The hash of `text` as Content-Security-Policy wants it. CMake knows SHA-256 in
# hexadecimal alone: three of its digits are two of base64.
function(policy_hash text result)
  set(digits ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  string(SHA256 hash "${text}")
  set(hash "${hash}00")  # to a multiple of three digits
  set(encoded "")
  foreach(start RANGE 0 63 3)
    string(SUBSTRING ${hash} ${start} 3 group)
    foreach(shift 6 0)
      math(EXPR index "(0x${group} >> ${shift}) & 63")
      string(SUBSTRING ${digits} ${index} 1 digit)
      string(APPEND encoded ${digit})
    endforeach()
  endforeach()
  string(SUBSTRING ${encoded} 0 43 encoded)  # 32 bytes, and one of padding
  set(${result} "'sha256-${encoded}='" PARENT_SCOPE)
endfunction()

# All modules in one scope: their imports go, and no name may stand twice.
set(script "")
string(REPLACE "," ";" modules "${MODULES}")
foreach(module IN LISTS modules)
  file(READ ${SOURCE}/${module} code)
  string(REGEX REPLACE "\nimport [^;]*;" "" code "\n${code}")
  string(REGEX REPLACE "\nexport " "\n" code "${code}")
  string(APPEND script "${code}")
endforeach()
string(REGEX MATCHALL "\n(async )?(function|const|let|class) [A-Za-z_]+" names "${script}")
list(TRANSFORM names REPLACE ".* " "")
set(seen ${names})
list(REMOVE_DUPLICATES seen)
foreach(name IN LISTS seen)
  list(REMOVE_AT names 0)
  if(name IN_LIST names)
    message(FATAL_ERROR "two modules of the web page have a top-level ${name}: rename one")
  endif()
endforeach()
set(script "(() => {\n'use strict';${script}})();\n")

file(READ ${SOURCE}/style.css style)
file(READ ${SOURCE}/index.html page)
policy_hash("${script}" script_hash)
policy_hash("${style}" style_hash)
# connect-src: credentials are fetched from where the person says.
string(CONCAT policy "default-src 'none'; script-src ${script_hash}; style-src ${style_hash}; "
  "img-src data:; connect-src http: https:; base-uri 'none'; form-action 'none'; "
  "require-trusted-types-for 'script'")
string(REPLACE "@POLICY@" "${policy}" page "${page}")
string(REPLACE "@STYLE@" "${style}" page "${page}")
string(REPLACE "@SCRIPT@" "${script}" page "${page}")
file(WRITE ${PAGE} "${page}")

string(CONCAT constant "// Made by web/bundle.cmake.\n#include \"server/web_page.hpp\"\n\n"
  "namespace yuelao::server {\n\n"
  "const std::string_view web_page = R\"yuelao-page(${page})yuelao-page\";\n"
  "const std::string_view web_page_policy =\n    \"${policy}; frame-ancestors 'none'\";\n\n"
  "}  // namespace yuelao::server\n")
file(WRITE ${CONSTANT} "${constant}")

#pragma once

#include <string>
#include <string_view>

namespace yuelao::integrate {

// One value as a string of the language it is pasted into, so that no secret can end it
// early. The quotes are part of the result where the language has them.
std::string in_lua(std::string_view value);
std::string in_json(std::string_view value);
std::string in_yaml(std::string_view value);
// libconfig's strings (janus.jcfg) escape as C's do.
std::string in_libconfig(std::string_view value);
std::string in_xml_attribute(std::string_view value);
// One word of a POSIX shell.
std::string in_shell(std::string_view value);
// A value of an env file: bare where that is enough, which every reader of such files
// understands, else between single quotes.
std::string in_env(std::string_view value);

}  // namespace yuelao::integrate

#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "server/integrate/system.hpp"

namespace yuelao::integrate {

// The meeting systems yuelao knows, in the order of the list.
std::span<const System> systems();

// The system of this name. The error is one sentence: the name that was probably meant,
// or why the system needs nothing from a TURN server.
std::expected<const System*, std::string> system_named(std::string_view name);

// The list a person sees who names no system.
std::string list_of_systems();

// One a system, each in its file.
Instructions bigbluebutton(const Request& request);
Instructions briefing(const Request& request);
Instructions galene(const Request& request);
Instructions janus(const Request& request);
Instructions jitsi(const Request& request);
Instructions livekit(const Request& request);
Instructions matrix(const Request& request);
Instructions mirotalk_bro(const Request& request);
Instructions mirotalk_c2c(const Request& request);
Instructions mirotalk_p2p(const Request& request);
Instructions nextcloud_hpb(const Request& request);
Instructions nextcloud_talk(const Request& request);

}  // namespace yuelao::integrate

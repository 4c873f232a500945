#pragma once

#include <string>
#include <string_view>

#include "protocol/client/nat_discovery.hpp"
#include "server/probe/link.hpp"
#include "server/probe/session.hpp"

namespace yuelao::probe {

// "UDP", "TCP" or "TLS".
std::string_view spoken(Transport transport);

// Why there is no link, or no longer one: sentences with what to do.
std::string explain(const LinkError& error, const Place& place);
// Why a request came to nothing.
std::string explain(const Trouble& trouble, const Place& place);

// A password algorithm of RFC 8489 §18.5: "MD5", "SHA-256", or "0x0003" for what is not known.
std::string algorithm_name(std::uint16_t number);
// How this machine authenticated, and what else it could have done: a sentence.
std::string explain(const client::Offer& offer);

// What is between here and the server: sentences.
std::string explain(const client::NatBehavior& nat);
// Why that is not known, or not all of it, and what to do: a sentence.
std::string explain(client::NatDiscovery::Obstacle obstacle, const std::optional<Endpoint>& other);

// The error is about this machine's own network alone.
bool is_ours(const LinkError& error);

// "12.3 ms".
std::string milliseconds(std::chrono::microseconds duration);

}  // namespace yuelao::probe

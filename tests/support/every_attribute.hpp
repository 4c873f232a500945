#pragma once

#include <string_view>

#include "protocol/stun/attributes.hpp"

namespace yuelao::test {

// Calls visit(name, constant) for every attribute constant, in the order of
// attributes.hpp. `name` is the RFCs'.
template <class Visitor>
void for_every_attribute(Visitor&& visit) {
  namespace a = stun::attribute;
  visit("MAPPED-ADDRESS", a::mapped_address);
  visit("RESPONSE-ADDRESS", a::response_address);
  visit("CHANGE-REQUEST", a::change_request);
  visit("SOURCE-ADDRESS", a::source_address);
  visit("CHANGED-ADDRESS", a::changed_address);
  visit("USERNAME", a::username);
  visit("PASSWORD", a::password);
  visit("MESSAGE-INTEGRITY", a::message_integrity);
  visit("ERROR-CODE", a::error_code);
  visit("UNKNOWN-ATTRIBUTES", a::unknown_attributes);
  visit("REFLECTED-FROM", a::reflected_from);
  visit("CHANNEL-NUMBER", a::channel_number);
  visit("LIFETIME", a::lifetime);
  visit("XOR-PEER-ADDRESS", a::xor_peer_address);
  visit("DATA", a::data);
  visit("REALM", a::realm);
  visit("NONCE", a::nonce);
  visit("XOR-RELAYED-ADDRESS", a::xor_relayed_address);
  visit("REQUESTED-ADDRESS-FAMILY", a::requested_address_family);
  visit("EVEN-PORT", a::even_port);
  visit("REQUESTED-TRANSPORT", a::requested_transport);
  visit("DONT-FRAGMENT", a::dont_fragment);
  visit("MESSAGE-INTEGRITY-SHA256", a::message_integrity_sha256);
  visit("PASSWORD-ALGORITHM", a::password_algorithm);
  visit("USERHASH", a::userhash);
  visit("XOR-MAPPED-ADDRESS", a::xor_mapped_address);
  visit("RESERVATION-TOKEN", a::reservation_token);
  visit("PADDING", a::padding);
  visit("RESPONSE-PORT", a::response_port);
  visit("CONNECTION-ID", a::connection_id);
  visit("ADDITIONAL-ADDRESS-FAMILY", a::additional_address_family);
  visit("ADDRESS-ERROR-CODE", a::address_error_code);
  visit("PASSWORD-ALGORITHMS", a::password_algorithms);
  visit("ALTERNATE-DOMAIN", a::alternate_domain);
  visit("ICMP", a::icmp);
  visit("SOFTWARE", a::software);
  visit("ALTERNATE-SERVER", a::alternate_server);
  visit("CACHE-TIMEOUT", a::cache_timeout);
  visit("FINGERPRINT", a::fingerprint);
  visit("RESPONSE-ORIGIN", a::response_origin);
  visit("OTHER-ADDRESS", a::other_address);
  visit("MOBILITY-TICKET", a::mobility_ticket);
}

}  // namespace yuelao::test

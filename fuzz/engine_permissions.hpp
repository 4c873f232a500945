#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <boost/container/flat_map.hpp>
#include <boost/container/flat_set.hpp>
#include <boost/container/vector.hpp>

#include "fuzz/promise.hpp"
#include "protocol/now.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/turn/outbox.hpp"
#include "protocol/turn/ticket.hpp"

namespace yuelao::turn {

// The engine fuzzer's model of who may talk to whom: what clients asked for and were granted (RFC
// 8656 §9, §12), told from requests, answers and notices alone. Where the model cannot know, as of
// rules that forbid a peer later, it allows more than the engine.
class Permissions {
 public:
  explicit Permissions(const Options& options)
      : tickets_{options.nonce_key}, new_peers_{options.limits.new_peers_per_allocation} {}

  // The scripted world gives no port twice.
  void opened(RelayId relay, const Endpoint& bound) {
    relays_[relay].family = bound.address.family();
    by_port_[bound.port] = relay;
  }
  void closed(RelayId relay) {
    const auto session = relays_.at(relay).session;
    relays_.erase(relay);
    const bool last = std::ranges::none_of(
        relays_, [&](const auto& other) { return other.second.session == session; });
    if (last) tuples_.erase(session);
  }
  void note(const Notice& notice) {
    if (notice.event == Notice::Event::allocation_created) {
      relays_.at(by_port_.at(notice.relayed.port)).session = notice.session;
    }
    const bool moved = notice.event == Notice::Event::allocation_moved;
    // Where it came from may be another allocation's from now on.
    if (moved) tuples_[notice.session].clear();
    if (moved || notice.event == Notice::Event::allocation_created) {
      tuples_[notice.session].insert(notice.tuple);
    }
  }

  // A request that was answered with success.
  void granted(const FiveTuple& client, const stun::Message& request, Now now) {
    namespace attribute = stun::attribute;
    if (request.method() == stun::Method::refresh) return expect(client, request);
    const auto number = request.get(attribute::channel_number);
    request.for_each([&](stun::AttributeType type, Bytes value) {
      if (type != attribute::xor_peer_address.type) return;
      const auto peer =
          stun::XorAddressCodec::decode(value, request.transaction_id().cookie_and_id());
      if (request.method() == stun::Method::create_permission) grant(client, *peer, {}, now);
      if (request.method() != stun::Method::channel_bind || !number) return;
      grant(client, *peer, number->value(), now);
      bind(client, number->value(), *peer, now);
    });
  }

  // A datagram left the relay that no channel was bound for.
  void sent(RelayId relay, const Endpoint& peer, Now now) {
    auto& from = relays_.at(relay);
    if (from.ports[peer.address].insert(peer.port).second) began(from, now);
  }

  bool permits(RelayId relay, const IpAddress& peer, Now now) const {
    const auto found = relays_.find(relay);
    return found != relays_.end() && found->second.permits(peer, now);
  }
  // Whether `number` of any of the client's relays leads to the peer.
  bool bound(const FiveTuple& client, std::uint16_t number, const Endpoint& peer, Now now) const {
    return any_of(client, [&](const Relay& relay) { return relay.binds(number, peer, now); });
  }
  // Whether what the peer sends may reach the client, and on that channel.
  bool reaches(const FiveTuple& client, const IpAddress& peer, Now now) const {
    return any_of(client, [&](const Relay& relay) { return relay.permits(peer, now); });
  }
  bool reaches(const FiveTuple& client, std::uint16_t number, Now now) const {
    return any_of(client, [&](const Relay& relay) {
      const auto channel = relay.channels.find(number);
      return channel != relay.channels.end() && channel->second.expires > now.steady &&
             relay.permits(channel->second.peer.address, now);
    });
  }

 private:
  template <class Key, class Value>
  using Map = boost::container::flat_map<Key, Value>;
  struct Channel {
    Endpoint peer;
    SteadyTime expires;
  };
  struct Relay {
    Family family{};
    std::uint64_t session = 0;
    Map<IpAddress, SteadyTime> permissions;
    Map<std::uint16_t, Channel> channels;
    Map<IpAddress, boost::container::flat_set<std::uint16_t>> ports;  // since it was permitted
    boost::container::vector<SteadyTime> begun;  // to talk to an address, or a port of it
    bool counted = true;  // false once it may have been another's that was granted

    bool permits(const IpAddress& peer, Now now) const {
      const auto found = permissions.find(peer);
      return found != permissions.end() && found->second > now.steady;
    }
    bool binds(std::uint16_t number, const Endpoint& peer, Now now) const {
      const auto found = channels.find(number);
      return found != channels.end() && found->second.peer == peer &&
             found->second.expires > now.steady;
    }
  };

  // RFC 8016: the client may ask from its new five-tuple before it sends data from there.
  void expect(const FiveTuple& client, const stun::Message& request) {
    const auto sealed = request.value_of(stun::attribute::mobility_ticket.type);
    const auto ticket = sealed ? tickets_.open(*sealed) : std::nullopt;
    if (ticket && tuples_.contains(ticket->session)) tuples_[ticket->session].insert(client);
  }
  void grant(const FiveTuple& client, const Endpoint& peer, std::optional<std::uint16_t> channel,
             Now now) {
    const bool sure = std::ranges::count_if(tuples_, [&](const auto& session) {
                        return session.second.contains(client);
                      }) == 1;
    for_each_of(client, [&](Relay& relay) {
      relay.counted = relay.counted && sure;
      if (relay.family == peer.address.family()) note_begun(relay, peer, channel, now);
      relay.permissions[peer.address] = now.steady + std::chrono::seconds{300};
    });
  }
  void note_begun(Relay& relay, const Endpoint& peer, std::optional<std::uint16_t> channel,
                  Now now) {
    const bool permitted = relay.permits(peer.address, now);
    auto& ports = relay.ports[peer.address];
    if (!permitted) ports.clear();
    // A channel is for a port, which is talked to from then on.
    const bool another = channel && ports.insert(peer.port).second;
    const bool again = channel && relay.binds(*channel, peer, now);
    if (!again && (!permitted || another)) began(relay, now);
  }
  // Of any time, however short: so many at once, and as many more a minute.
  void began(Relay& relay, Now now) {
    if (!relay.counted) return;
    relay.begun.push_back(now.steady);
    std::size_t since = relay.begun.size();
    for (const auto time : relay.begun) {
      const auto more = std::chrono::ceil<std::chrono::seconds>(new_peers_ * (now.steady - time));
      fuzz::promise(since <= new_peers_ + static_cast<std::size_t>(more.count()) / 60,
                    "an allocation begins to talk to so many a minute");
      --since;
    }
  }
  void bind(const FiveTuple& client, std::uint16_t number, const Endpoint& peer, Now now) {
    for_each_of(client, [&](Relay& relay) {
      relay.channels[number] = {peer, now.steady + std::chrono::seconds{600}};
    });
  }
  bool has(const FiveTuple& client, const Relay& relay) const {
    const auto found = tuples_.find(relay.session);
    return found != tuples_.end() && found->second.contains(client);
  }
  void for_each_of(const FiveTuple& client, auto&& visit) {
    for (auto& [id, relay] : relays_) {
      if (has(client, relay)) visit(relay);
    }
  }
  bool any_of(const FiveTuple& client, auto&& question) const {
    return std::ranges::any_of(
        relays_, [&](const auto& one) { return has(client, one.second) && question(one.second); });
  }

  TicketSealer tickets_;
  std::size_t new_peers_;
  Map<RelayId, Relay> relays_;
  Map<std::uint16_t, RelayId> by_port_;
  Map<std::uint64_t, boost::container::flat_set<FiveTuple>> tuples_;  // of a session
};

}  // namespace yuelao::turn

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/endpoint.hpp"
#include "protocol/turn/options.hpp"

namespace yuelao::turn {

enum class Admission : std::uint8_t { admitted, user_full, prefix_full, server_full };

// Counts live allocations over the whole server (RFC 8656 §7.2 step 10). Shards share
// one; the server gives them an implementation that locks. Asked once an allocation.
class Quota {
 public:
  virtual ~Quota() = default;
  // On `admitted` the allocation is counted until release() with the same arguments.
  virtual Admission admit(std::string_view user, const IpAddress& client) = 0;
  virtual void release(std::string_view user, const IpAddress& client) = 0;
  // The same for a TCP connection with a peer (RFC 6062).
  virtual Admission admit_connection(std::string_view user) = 0;
  virtual void release_connection(std::string_view user) = 0;
  // Counts as many allocations of a client, admitted before, under another of its addresses; all
  // or none. No other limit is asked: at no time are they counted twice, or not at all.
  virtual Admission move(const IpAddress& from, const IpAddress& to, std::uint32_t count) = 0;
};

// The counting itself, for one thread.
class QuotaLedger final : public Quota {
 public:
  explicit QuotaLedger(const Limits& limits) : limits_{limits} {}
  // New limits hold for new allocations.
  void set_limits(const Limits& limits) { limits_ = limits; }

  Admission admit(std::string_view user, const IpAddress& client) override;
  void release(std::string_view user, const IpAddress& client) override;
  Admission admit_connection(std::string_view user) override;
  void release_connection(std::string_view user) override;
  Admission move(const IpAddress& from, const IpAddress& to, std::uint32_t count) override;

  std::uint64_t total() const { return total_; }
  std::size_t users() const { return by_user_.size(); }
  std::size_t prefixes() const { return by_prefix_.size(); }
  std::uint64_t connections() const { return connections_; }
  std::size_t connected_users() const { return connections_by_user_.size(); }

 private:
  bool is_proxy(const IpAddress& client) const;

  Limits limits_;
  std::uint64_t total_ = 0;
  boost::unordered_flat_map<std::string, std::uint32_t> by_user_;
  boost::unordered_flat_map<IpAddress, std::uint32_t> by_prefix_;
  std::uint64_t connections_ = 0;
  boost::unordered_flat_map<std::string, std::uint32_t> connections_by_user_;
};

}  // namespace yuelao::turn

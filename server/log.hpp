#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "config/config.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/turn/outbox.hpp"

namespace yuelao::server {

// Lines to stderr: `time level message key=value ...`, or a JSON object each. Nothing a
// client sends is ever a format string, and no value can start a line of its own.
//
// Takes effect at once and may be called again, for a reload. SIGPIPE is ignored from
// here on, so that a reader of the log that goes away does not end the server.
void set_up_log(const config::Log& settings);

// A constant sentence; what varies belongs into the fields.
class LogMessage {
 public:
  template <std::size_t size>
  consteval LogMessage(const char (&literal)[size])  // NOLINT(*-explicit-*)
      : text_{literal, size - 1} {}

  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

// One value on a line. Text that is no literal needs one of the functions below, so
// that each address and each name passes the privacy mode, or is seen not to.
class LogValue {
 public:
  enum class Kind : std::uint8_t {
    text,
    number,
    hidden,  // the privacy mode keeps it off the line, key and all
  };

  template <std::size_t size>
  LogValue(const char (&literal)[size])  // NOLINT(*-explicit-*)
      : text_{literal, size - 1} {}
  LogValue(std::integral auto number)  // NOLINT(*-explicit-*)
      : kind_{Kind::number}, text_{std::to_string(number)} {}

  Kind kind() const { return kind_; }
  const std::string& text() const { return text_; }

 private:
  friend LogValue shown(const IpAddress& address);
  friend LogValue shown(const Endpoint& endpoint);
  friend LogValue shown_user(std::string_view user);
  friend LogValue public_text(std::string_view text);
  LogValue(Kind kind, std::string text) : kind_{kind}, text_{std::move(text)} {}

  Kind kind_ = Kind::text;
  std::string text_;
};

// A client's or peer's address as the privacy mode allows: nothing, the /16 or /32 it
// is in (without its port), or all of it.
LogValue shown(const IpAddress& address);
LogValue shown(const Endpoint& endpoint);
// A user name: only in mode `full`.
LogValue shown_user(std::string_view user);
// Text that says nothing of a client: file names, errors of the system, this server's
// own listening addresses.
LogValue public_text(std::string_view text);

struct LogField {
  std::string_view key;
  LogValue value;
};
using LogFields = std::initializer_list<LogField>;

void log_debug(LogMessage message, LogFields fields = {});
void log_info(LogMessage message, LogFields fields = {});
void log_warning(LogMessage message, LogFields fields = {});
void log_error(LogMessage message, LogFields fields = {});

// The life of an allocation, at debug level.
void log_session(const turn::Notice& notice);

// Lines that could not be written since the start (disk full, stderr closed).
std::uint64_t lost_log_lines();

}  // namespace yuelao::server

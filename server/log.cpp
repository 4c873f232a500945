#include "server/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <nlohmann/json.hpp>

#include "server/journal.hpp"

namespace yuelao::server {
namespace {

using config::LogFormat;
using config::LogLevel;
using config::LogPrivacy;
using Json = nlohmann::ordered_json;

std::atomic<std::uint64_t> lost_lines = 0;
std::atomic<LogPrivacy> privacy = LogPrivacy::none;

// spdlog's own stderr sink goes through stdio and does not look at the result; a line
// that is lost has to be noticed.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string_view rest{line.data(), line.size()};
    while (!rest.empty()) {
      const auto written = ::write(STDERR_FILENO, rest.data(), rest.size());
      if (written > 0) {
        rest.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno != EINTR) {
        throw spdlog::spdlog_ex("stderr", errno);
      }
    }
  }
  void flush_() override {}
};

enum class Layout : std::uint8_t { text, journal, json };

struct Log {
  Layout layout;
  std::shared_ptr<spdlog::logger> lines;
};

const char* pattern(Layout layout) {
  switch (layout) {
    case Layout::text:
      return "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
    case Layout::journal:
      return "%v";  // journald knows the time and reads <priority>
    case Layout::json:
      return R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)";
  }
  return "%v";
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::shared_ptr<const Log> make_log(const config::Log& settings) {
  const auto layout = settings.format == LogFormat::json ? Layout::json
                      : goes_to_journal(STDERR_FILENO)   ? Layout::journal
                                                         : Layout::text;
  auto lines = std::make_shared<spdlog::logger>("yuelao", std::make_shared<StderrSink>());
  lines->set_formatter(
      std::make_unique<spdlog::pattern_formatter>(pattern(layout), spdlog::pattern_time_type::utc));
  lines->set_level(spdlog_level(settings.level));
  lines->set_error_handler([](const std::string&) { ++lost_lines; });
  return std::make_shared<const Log>(Log{layout, std::move(lines)});
}

// Lines are written from every shard while a reload may replace the log.
std::mutex current_mutex;
std::shared_ptr<const Log>& current_slot() {
  static std::shared_ptr<const Log> slot = make_log({});
  return slot;
}
std::shared_ptr<const Log> current() {
  const std::lock_guard lock{current_mutex};
  return current_slot();
}

// On a terminal, control characters, bidirectional marks and line ends in a value could
// make it look like something else, so that all but plain ASCII is escaped.
std::string text_of(const std::string& value) {
  constexpr std::string_view plain = "-._:/@+,[]";
  const bool is_plain = !value.empty() && std::ranges::all_of(value, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           plain.find(c) != std::string_view::npos;
  });
  return is_plain ? value : Json(value).dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string text_line(std::string_view message, LogFields fields) {
  std::string line{message};
  for (const auto& [key, value] : fields) {
    if (value.kind() == LogValue::Kind::hidden) continue;
    line.append(" ").append(key).append("=").append(text_of(value.text()));
  }
  return line;
}

// sd-daemon(3): the syslog priority in front of a line, then the level for the reader.
std::string journal_line(LogLevel level, std::string_view message, LogFields fields) {
  constexpr std::array<std::string_view, 4> prefix = {"<7>debug ", "<6>info ", "<4>warning ",
                                                      "<3>error "};
  return std::string{prefix[static_cast<std::size_t>(level)]} + text_line(message, fields);
}

// Without its opening brace, which the pattern writes in front of time and level.
std::string json_line(std::string_view message, LogFields fields) {
  Json object{{"message", message}};
  for (const auto& [key, value] : fields) {
    if (value.kind() == LogValue::Kind::hidden) continue;
    object[std::string{key}] =
        value.kind() == LogValue::Kind::number ? Json::parse(value.text()) : Json(value.text());
  }
  return object.dump(-1, ' ', false, Json::error_handler_t::replace).substr(1);
}

std::string compose(Layout layout, LogLevel level, std::string_view message, LogFields fields) {
  switch (layout) {
    case Layout::text:
      return text_line(message, fields);
    case Layout::journal:
      return journal_line(level, message, fields);
    case Layout::json:
      return json_line(message, fields);
  }
  return {};
}

bool wanted(const Log& log, LogLevel level) { return log.lines->should_log(spdlog_level(level)); }

void write(LogLevel level, LogMessage message, LogFields fields) {
  const auto log = current();
  if (!wanted(*log, level)) return;
  const auto line = compose(log->layout, level, message.text(), fields);
  // The overload that takes a view does not look for a format in it.
  log->lines->log(spdlog_level(level), spdlog::string_view_t{line.data(), line.size()});
}

// With 0 to 2 closed, the next socket would become "stderr" and a client would be sent
// our log. A read-only stand-in keeps the number and still makes writing fail.
void occupy_standard_descriptors() {
  int descriptor = 0;
  while (descriptor >= 0 && descriptor <= STDERR_FILENO) {
    descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  if (descriptor >= 0) ::close(descriptor);
}

std::string network_of(const IpAddress& address) {
  if (address.family() == Family::ipv4) {
    return IpAddress::v4({address.octets()[0], address.octets()[1], 0, 0}).to_string() + "/16";
  }
  std::array<std::uint8_t, 16> octets{};
  std::ranges::copy(address.octets().first(4), octets.begin());
  return IpAddress::v6(octets).to_string() + "/32";
}

}  // namespace

void set_up_log(const config::Log& settings) {
  occupy_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  privacy = settings.privacy;
  const std::lock_guard lock{current_mutex};
  current_slot() = make_log(settings);
}

LogValue shown(const IpAddress& address) {
  switch (privacy.load()) {
    case LogPrivacy::none:
      break;
    case LogPrivacy::truncated:
      return {LogValue::Kind::text, network_of(address)};
    case LogPrivacy::full:
      return {LogValue::Kind::text, address.to_string()};
  }
  return {LogValue::Kind::hidden, {}};
}

LogValue shown(const Endpoint& endpoint) {
  if (privacy.load() != LogPrivacy::full) return shown(endpoint.address);
  return {LogValue::Kind::text, endpoint.to_string()};
}

LogValue shown_user(std::string_view user) {
  if (privacy.load() != LogPrivacy::full) return {LogValue::Kind::hidden, {}};
  return {LogValue::Kind::text, std::string{user}};
}

LogValue public_text(std::string_view text) { return {LogValue::Kind::text, std::string{text}}; }

void log_debug(LogMessage message, LogFields fields) { write(LogLevel::debug, message, fields); }
void log_info(LogMessage message, LogFields fields) { write(LogLevel::info, message, fields); }
void log_warning(LogMessage message, LogFields fields) {
  write(LogLevel::warning, message, fields);
}
void log_error(LogMessage message, LogFields fields) { write(LogLevel::error, message, fields); }

void log_session(const turn::Notice& notice) {
  using Event = turn::Notice::Event;
  if (!wanted(*current(), LogLevel::debug)) return;
  const LogFields fields = {{"session", notice.session},
                            {"transport", public_text(name(notice.tuple.transport))},
                            {"client", shown(notice.tuple.client)},
                            {"relayed", shown(notice.relayed)},
                            {"user", shown_user(notice.user)}};
  switch (notice.event) {
    case Event::allocation_created:
      return log_debug("allocation created", fields);
    case Event::allocation_deleted:
      return log_debug("allocation deleted", fields);
    case Event::allocation_expired:
      return log_debug("allocation expired", fields);
    case Event::allocation_revoked:
      return log_debug("allocation revoked", fields);
    case Event::allocation_moved:
      return log_debug("allocation moved", fields);
  }
}

std::uint64_t lost_log_lines() { return lost_lines.load(); }

}  // namespace yuelao::server

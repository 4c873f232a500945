#include "server/log.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace yuelao::server::log_test {
namespace {

using config::LogFormat;
using config::LogLevel;
using config::LogPrivacy;

// Puts `descriptor` in stderr's place for as long as this lives, and owns it.
class Stderr {
 public:
  explicit Stderr(int descriptor) : descriptor_{descriptor}, saved_{::dup(STDERR_FILENO)} {
    REQUIRE(descriptor_ >= 0);
    ::dup2(descriptor_, STDERR_FILENO);
  }
  ~Stderr() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    ::close(descriptor_);
  }
  Stderr(const Stderr&) = delete;
  Stderr& operator=(const Stderr&) = delete;

  std::string text() const {
    std::string text(65536, '\0');
    const auto size = ::pread(descriptor_, text.data(), text.size(), 0);
    REQUIRE(size >= 0);
    text.resize(static_cast<std::size_t>(size));
    return text;
  }

 private:
  int descriptor_;
  int saved_;
};

int unnamed_file() { return ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }

std::string logged(const config::Log& settings, const std::function<void()>& write) {
  const Stderr captured{unnamed_file()};
  set_up_log(settings);
  write();
  return captured.text();
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

turn::Notice marked_notice(turn::Notice::Event event) {
  turn::Notice notice{};
  notice.event = event;
  notice.session = 42;
  notice.tuple = {Transport::tcp, *Endpoint::parse("198.51.100.77:40001"),
                  *Endpoint::parse("192.0.2.99:3478")};
  notice.relayed = *Endpoint::parse("[2001:db8:77:88::99]:50001");
  notice.user = "marker-user";
  return notice;
}

void log_every_event() {
  using Event = turn::Notice::Event;
  for (const auto event :
       {Event::allocation_created, Event::allocation_deleted, Event::allocation_expired,
        Event::allocation_revoked, Event::allocation_moved}) {
    log_session(marked_notice(event));
  }
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("privacy mode none shows no address and no user name at any level") {
  for (const auto level : {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
    for (const auto format : {LogFormat::text, LogFormat::json}) {
      const auto text = logged({level, format, LogPrivacy::none}, [] {
        log_every_event();
        const auto client = *Endpoint::parse("198.51.100.77:40001");
        log_error("refused", {{"client", shown(client)},
                              {"address", shown(client.address)},
                              {"user", shown_user("marker-user")}});
      });
      CHECK(contains(text, "refused"));
      for (const auto marker : {"198.51", "100.77", "2001", "db8", "marker", "40001", "50001",
                                "client", "relayed", "user"}) {
        CAPTURE(marker);
        CHECK_FALSE(contains(text, marker));
      }
    }
  }
}

TEST_CASE("privacy mode truncated shows the /16 or /32, no port and no user name") {
  const auto text =
      logged({LogLevel::debug, LogFormat::text, LogPrivacy::truncated}, log_every_event);
  CHECK(contains(text, "client=198.51.0.0/16"));
  CHECK(contains(text, "relayed=\"2001:db8::/32\"") != contains(text, "relayed=2001:db8::/32"));
  for (const auto marker : {"198.51.100", "77:88", "40001", "50001", "marker"}) {
    CAPTURE(marker);
    CHECK_FALSE(contains(text, marker));
  }
}

TEST_CASE("privacy mode full shows addresses, ports and user names") {
  const auto text = logged({LogLevel::debug, LogFormat::text, LogPrivacy::full}, log_every_event);
  CHECK(contains(text,
                 " debug allocation created session=42 transport=tcp client=198.51.100.77:40001 "
                 "relayed=[2001:db8:77:88::99]:50001 user=marker-user\n"));
  CHECK(contains(text, "allocation deleted"));
  CHECK(contains(text, "allocation expired"));
}

TEST_CASE("lines below the level are not written") {
  const auto text = logged({LogLevel::warning, LogFormat::text, LogPrivacy::full}, [] {
    log_every_event();
    log_info("quiet");
    log_warning("loud");
  });
  CHECK(lines_in(text) == 1);
  CHECK(contains(text, " warning loud\n"));
}

TEST_CASE("a text line is time, level, message and key=value") {
  const auto text = logged(
      {}, [] { log_info("listening", {{"address", public_text("0.0.0.0:3478")}, {"shards", 2}}); });
  REQUIRE(text.size() > 24);
  CHECK(text[10] == 'T');
  CHECK(text[23] == 'Z');
  CHECK(text.substr(24) == " info listening address=0.0.0.0:3478 shards=2\n");
}

std::vector<std::string> hostile_names() {
  using namespace std::string_literals;
  std::string long_name;
  while (long_name.size() < 498) long_name += "\u6708\u8001";
  return {"%s%n%p{}{0:>99999999}"s,
          "\"quoted\" and \\ and ,"s,
          "nul\0inside"s,
          "two\nlines\r\n2026-01-01T00:00:00.000Z error forged"s,
          "\x1b[2J\x1b]0;title\a"s,
          "\u202eright to left"s,
          long_name,
          "=a=b c=d"s,
          ""s};
}

TEST_CASE("whatever a name holds, a text line stays one line of plain ASCII") {
  for (const auto& hostile : hostile_names()) {
    CAPTURE(hostile);
    const auto text = logged({LogLevel::info, LogFormat::text, LogPrivacy::full}, [&] {
      log_info("refused", {{"user", shown_user(hostile)}, {"after", "end"}});
    });
    CHECK(lines_in(text) == 1);
    CHECK(contains(text, " info refused user=\""));
    CHECK(text.ends_with("\" after=end\n"));
    CHECK(std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= 32 && c < 127); }));
  }
}

TEST_CASE("whatever a name holds, a JSON line gives it back") {
  for (const auto& hostile : hostile_names()) {
    CAPTURE(hostile);
    const auto text = logged({LogLevel::info, LogFormat::json, LogPrivacy::full}, [&] {
      log_info("refused", {{"user", shown_user(hostile)}, {"code", 441}});
    });
    CHECK(lines_in(text) == 1);
    const auto line = nlohmann::json::parse(text);
    CHECK(line["user"] == hostile);
    CHECK(line["code"] == 441);
    CHECK(line["level"] == "info");
    CHECK(line["message"] == "refused");
    CHECK(line["time"].get<std::string>().ends_with("Z"));
  }
}

TEST_CASE("a name that is not UTF-8 still makes a valid JSON line") {
  const auto text = logged({LogLevel::info, LogFormat::json, LogPrivacy::full},
                           [] { log_info("refused", {{"user", shown_user("\xff\xfe")}}); });
  CHECK(nlohmann::json::parse(text)["user"] == "\uFFFD\uFFFD");
}

TEST_CASE("in systemd's journal a line has a priority and no time") {
  const Stderr captured{unnamed_file()};
  struct stat status{};
  REQUIRE(::fstat(STDERR_FILENO, &status) == 0);
  const auto stream = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  ::setenv("JOURNAL_STREAM", stream.c_str(), 1);
  set_up_log({});
  ::unsetenv("JOURNAL_STREAM");
  log_error("no certificate", {{"file", public_text("/etc/a.pem")}});
  log_info("listening");
  CHECK(captured.text() == "<3>error no certificate file=/etc/a.pem\n<6>info listening\n");
}

TEST_CASE("a stderr that is not the journal any more has its time back") {
  ::setenv("JOURNAL_STREAM", "1:1", 1);
  const auto text = logged({}, [] { log_info("listening"); });
  ::unsetenv("JOURNAL_STREAM");
  CHECK(text.ends_with("Z info listening\n"));
}

TEST_CASE("a full disk loses lines, counts them and does no other harm") {
  const Stderr full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
  set_up_log({});
  const auto before = lost_log_lines();
  for (int i = 0; i < 3; ++i) log_info("listening");
  CHECK(lost_log_lines() == before + 3);
}

TEST_CASE("a reader that goes away loses lines, counts them and does no other harm") {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  ::close(pipe[0]);
  const Stderr broken{pipe[1]};
  set_up_log({});
  const auto before = lost_log_lines();
  log_info("listening");
  CHECK(lost_log_lines() == before + 1);
}

TEST_CASE("with stderr closed, no socket opened later is written to") {
  const Stderr restored{unnamed_file()};
  ::close(STDERR_FILENO);
  set_up_log({});
  const auto before = lost_log_lines();
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  CHECK(socket != STDERR_FILENO);
  log_info("listening");
  CHECK(lost_log_lines() == before + 1);
  CHECK(restored.text().empty());
  ::close(socket);
}

}  // namespace
}  // namespace yuelao::server::log_test

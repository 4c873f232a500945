#include <fmt/format.h>

#include "server/check/parts.hpp"
#include "server/tls_context.hpp"

namespace yuelao::check {
namespace {

using std::chrono::days;
using std::chrono::sys_seconds;

// As in `yuelao probe`: who renews does so earlier.
constexpr days soon{14};

Step judge_expiry(const config::TlsFiles& files, sys_seconds expiry) {
  const auto left = std::chrono::floor<days>(expiry - std::chrono::system_clock::now());
  const auto text =
      fmt::format("The certificate in {} is valid for {} more {}", files.certificate.string(),
                  left.count(), left.count() == 1 ? "day" : "days");
  if (left >= soon) return {"certificate", Verdict::works, text + "."};
  return {"certificate", Verdict::attention, text + ": renew it, and look why nobody did."};
}

// The server keeps what it read at its start or its last reload.
std::optional<Step> judge_shown(sys_seconds expiry, const std::vector<probe::Report>& reports) {
  for (const auto& report : reports) {
    for (const auto& leg : report.legs) {
      if (!leg.certificate || leg.certificate->expiry == expiry) continue;
      return Step{"certificate", Verdict::attention,
                  "The server still shows another certificate than the file holds: `systemctl "
                  "reload yuelao` makes it read the file again."};
    }
  }
  return std::nullopt;
}

}  // namespace

Steps check_certificate(const config::Config& config, const std::vector<probe::Report>& reports) {
  if (!config.tls) {
    return {{"certificate", Verdict::skipped,
             "There is no certificate, and so no turns: URL: guests behind firewalls that let "
             "nothing but HTTPS out cannot call."}};
  }
  try {
    const auto expiry = server::load_tls_context(*config.tls)->expiry;
    Steps steps{judge_expiry(*config.tls, expiry)};
    if (auto step = judge_shown(expiry, reports)) steps.push_back(*std::move(step));
    return steps;
  } catch (const server::TlsFileError& error) {
    const bool of_key = error.file() == server::TlsFileError::File::key;
    const auto& place = of_key ? config.tls->key_place : config.tls->certificate_place;
    return {{"certificate", Verdict::failed, place + ": " + error.what()}};
  }
}

}  // namespace yuelao::check

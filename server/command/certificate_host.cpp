#include "server/command/certificate_host.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "server/release.hpp"

namespace yuelao::server {
namespace {

using Bio = Owned<BIO, BIO_free>;
using Certificate = Owned<X509, X509_free>;
using Names = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;

Certificate read_certificate(const std::filesystem::path& file) {
  const Bio bio{BIO_new_file(file.c_str(), "r")};
  Certificate certificate{bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr};
  ERR_clear_error();
  return certificate;
}

std::string text_of(const ASN1_IA5STRING* name) {
  const auto* first = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name));
  return {first, static_cast<std::size_t>(ASN1_STRING_length(name))};
}

}  // namespace

std::optional<std::string> certificate_host(const std::filesystem::path& file) {
  const auto certificate = read_certificate(file);
  if (!certificate) return std::nullopt;
  const Names names{static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    auto host = text_of(name->d.dNSName);
    if (!host.empty() && !host.starts_with('*')) return host;
  }
  return std::nullopt;
}

}  // namespace yuelao::server

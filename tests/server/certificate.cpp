#include "tests/server/certificate.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>

namespace yuelao::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

File open_for_writing(const std::filesystem::path& path) {
  File file{std::fopen(path.c_str(), "w"), &std::fclose};
  if (!file) throw std::runtime_error{"cannot write " + path.string()};
  return file;
}

Certificate sign(EVP_PKEY* key, long valid_from, long valid_to) {
  Certificate certificate{X509_new(), &X509_free};
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), valid_from);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), valid_to);
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("turn.test"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key);
  X509_EXTENSION* const names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:*.test,DNS:turn.test");
  X509_add_ext(certificate.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate.get(), key, EVP_sha256());
  return certificate;
}

}  // namespace

config::TlsFiles make_certificate(const std::filesystem::path& directory, const std::string& name,
                                  long valid_from, long valid_to) {
  const config::TlsFiles files{directory / (name + ".pem"), directory / (name + ".key")};
  const Key key{EVP_EC_gen("P-256"), &EVP_PKEY_free};
  const auto certificate = sign(key.get(), valid_from, valid_to);
  PEM_write_X509(open_for_writing(files.certificate).get(), certificate.get());
  PEM_write_PrivateKey(open_for_writing(files.key).get(), key.get(), nullptr, nullptr, 0, nullptr,
                       nullptr);
  return files;
}

}  // namespace yuelao::test

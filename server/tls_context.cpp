#include "server/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/secret.hpp"
#include "server/dtls_session.hpp"

namespace yuelao::server {
namespace {

using File = TlsFileError::File;

// In the wire form of ALPN: each name behind its length.
constexpr std::string_view alpn_names = "\x09stun.turn\x12stun.nat-discovery";

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// A client that offers other names only is served all the same: many set none, and
// some HTTP-minded ones set "http/1.1".
int select_alpn(SSL*, const unsigned char** selected, unsigned char* selected_size,
                const unsigned char* offered, unsigned offered_size, void*) {
  unsigned char* found = nullptr;
  const int result =
      SSL_select_next_proto(&found, selected_size, octets(alpn_names),
                            static_cast<unsigned>(alpn_names.size()), offered, offered_size);
  *selected = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

std::string_view word_for(File file) { return file == File::key ? "key" : "certificate"; }

void require_readable(const std::filesystem::path& file, File which) {
  errno = 0;
  if (std::ifstream{file}.peek() != std::ifstream::traits_type::eof()) return;
  const std::string name = std::string{word_for(which)} + " " + file.string();
  if (errno == ENOENT) {
    throw TlsFileError{which, "The " + name + " does not exist: correct its path under `tls`."};
  }
  if (errno == EACCES) {
    throw TlsFileError{which, "The " + name + " may not be read by this user (" +
                                  std::strerror(EACCES) +
                                  "): make it readable for the "
                                  "user the server runs as."};
  }
  const std::string reason = errno != 0 ? std::strerror(errno) : "it is empty";
  throw TlsFileError{which, "The " + name + " cannot be read (" + reason + ")."};
}

std::chrono::sys_seconds to_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::sys_seconds{std::chrono::seconds{::timegm(&parts)}};
}

std::string to_text(std::chrono::sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  std::array<char, 32> text{};
  ::gmtime_r(&seconds, &parts);
  std::strftime(text.data(), text.size(), "%F %T UTC", &parts);
  return text.data();
}

void use_certificate(SSL_CTX* context, const std::filesystem::path& file) {
  require_readable(file, File::certificate);
  if (SSL_CTX_use_certificate_chain_file(context, file.c_str()) == 1) return;
  throw TlsFileError{File::certificate,
                     "The certificate " + file.string() +
                         " is not a PEM certificate chain this machine's OpenSSL accepts: give the "
                         "whole chain, the server's own certificate first."};
}

// An encrypted key would make OpenSSL ask on the terminal, which a server has none of.
int no_passphrase(char*, int, int, void*) { return 0; }

// A chain in front of the key, and room to spare.
constexpr std::size_t longest_key_file = std::size_t{128} * 1024;

// Not by OpenSSL's own name for it, which leaves the file in a buffer of the C library's.
Owned<EVP_PKEY, EVP_PKEY_free> read_key(const std::filesystem::path& file) {
  std::string content(longest_key_file, '\0');
  std::ifstream stream{file, std::ios::binary};
  stream.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(stream.gcount()));
  const Secret text{std::move(content)};
  const Owned<BIO, BIO_free_all> source{
      BIO_new_mem_buf(text.reveal().data(), static_cast<int>(text.reveal().size()))};
  if (!source) throw std::bad_alloc{};
  return Owned<EVP_PKEY, EVP_PKEY_free>{
      PEM_read_bio_PrivateKey(source.get(), nullptr, no_passphrase, nullptr)};
}

void use_key(SSL_CTX* context, const config::TlsFiles& files) {
  require_readable(files.key, File::key);
  ERR_clear_error();
  if (const auto key = read_key(files.key);
      key && SSL_CTX_use_PrivateKey(context, key.get()) == 1) {
    return;
  }
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  ERR_clear_error();
  if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH) {
    throw TlsFileError{File::key, "The key " + files.key.string() +
                                      " does not belong to the certificate " +
                                      files.certificate.string() +
                                      ": give the two files that were issued together."};
  }
  throw TlsFileError{File::key, "The key " + files.key.string() +
                                    " is not an unencrypted private key in PEM form."};
}

// A certificate that every client refuses is better found at the start than by the
// first guest who cannot connect.
std::chrono::sys_seconds require_valid_now(SSL_CTX* context, const std::filesystem::path& file) {
  const X509* certificate = SSL_CTX_get0_certificate(context);
  const auto begin = to_time(X509_get0_notBefore(certificate));
  const auto expiry = to_time(X509_get0_notAfter(certificate));
  const auto now = std::chrono::system_clock::now();
  if (expiry <= now) {
    throw TlsFileError{File::certificate, "The certificate " + file.string() + " expired at " +
                                              to_text(expiry) +
                                              ": renew it, or remove `tls` to serve without TLS."};
  }
  if (now < begin) {
    throw TlsFileError{File::certificate, "The certificate " + file.string() +
                                              " is not valid before " + to_text(begin) +
                                              ": check this machine's clock."};
  }
  return expiry;
}

void restrict(SSL_CTX* context) {
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // RFC 9325 §4.1 of TLS 1.2: forward secrecy always, so neither static RSA nor anybody's PSK.
  // Those of TLS 1.3 have it.
  SSL_CTX_set_cipher_list(context, "ECDHE+HIGH:!aNULL");
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_early_data(context, 0);
  // An idle connection holds no record buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
}

using Context = Owned<SSL_CTX, SSL_CTX_free>;

Context made(const SSL_METHOD* method, int oldest_version, const config::TlsFiles& files) {
  Context context{SSL_CTX_new(method)};
  if (!context) throw std::bad_alloc{};
  SSL_CTX_set_min_proto_version(context.get(), oldest_version);
  restrict(context.get());
  use_certificate(context.get(), files.certificate);
  use_key(context.get(), files);
  return context;
}

}  // namespace

std::shared_ptr<TlsContext> load_tls_context(const config::TlsFiles& files) {
  // It holds the keys of session tickets.
  auto loaded = std::allocate_shared<TlsContext>(SecretAllocator<TlsContext>{});
  loaded->context = made(TLS_server_method(), TLS1_2_VERSION, files);
  loaded->expiry = require_valid_now(loaded->context.get(), files.certificate);
  loaded->datagrams = made(DTLS_server_method(), DTLS1_2_VERSION, files);
  // A session has its own idea of the path's MTU.
  SSL_CTX_set_options(loaded->datagrams.get(), SSL_OP_NO_QUERY_MTU);
  loaded->tickets.use_for(loaded->context.get());
  loaded->tickets.use_for(loaded->datagrams.get());
  DtlsSession::use_cookies(loaded->datagrams.get());
  return loaded;
}

}  // namespace yuelao::server

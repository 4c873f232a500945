#include "server/probe/tls.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/time.h>

#include <algorithm>

#include "server/printable.hpp"
#include "server/probe/waiting.hpp"
#include "server/release.hpp"
#include "server/socket_address.hpp"

namespace yuelao::probe {
namespace {

using X509Pointer = server::Owned<X509, X509_free>;
using Names = server::Owned<GENERAL_NAMES, GENERAL_NAMES_free>;

std::string why_it_failed() {
  const auto error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason ? reason : "the connection was closed";
}

bool name_peer(SSL* session, const TlsPeer& peer) {
  std::string protocols(1, static_cast<char>(peer.alpn.size()));
  protocols += peer.alpn;
  const auto* list = reinterpret_cast<const unsigned char*>(protocols.data());
  // Of OpenSSL's functions this one alone returns 0 for success.
  if (SSL_set_alpn_protos(session, list, static_cast<unsigned>(protocols.size())) != 0) {
    return false;
  }
  if (IpAddress::parse(peer.host)) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), peer.host.c_str()) == 1;
  }
  // SSL_set_tlsext_host_name(), whose macro has a cast of C's.
  auto host = peer.host;
  return SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data()) ==
             1 &&
         SSL_set1_host(session, peer.host.c_str()) == 1;
}

std::string text_of(const ASN1_STRING* text) {
  const auto* first = reinterpret_cast<const char*>(ASN1_STRING_get0_data(text));
  return printable({first, static_cast<std::size_t>(ASN1_STRING_length(text))});
}

std::string address_of(const ASN1_OCTET_STRING* octets) {
  const auto* data = ASN1_STRING_get0_data(octets);
  if (ASN1_STRING_length(octets) == 4) {
    return server::from_kernel(*reinterpret_cast<const in_addr*>(data)).to_string();
  }
  if (ASN1_STRING_length(octets) != 16) return "?";
  return server::from_kernel(*reinterpret_cast<const in6_addr*>(data)).to_string();
}

std::vector<std::string> names_of(const X509* certificate) {
  constexpr std::size_t most_names = 20;
  std::vector<std::string> found;
  const Names names{static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()) && found.size() < most_names; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) found.push_back(text_of(name->d.dNSName));
    if (name->type == GEN_IPADD) found.push_back(address_of(name->d.iPAddress));
  }
  return found;
}

// The issuer's common name, or its organisation where it has none.
std::string issuer_of(const X509* certificate) {
  const X509_NAME* issuer = X509_get_issuer_name(certificate);
  for (const int part : {NID_commonName, NID_organizationName}) {
    const int at = X509_NAME_get_index_by_NID(issuer, part, -1);
    if (at >= 0) return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(issuer, at)));
  }
  return "?";
}

std::chrono::sys_seconds expiry_of(const X509* certificate) {
  std::tm when{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) != 1) return {};
  return std::chrono::sys_seconds{std::chrono::seconds{::timegm(&when)}};
}

std::string alpn_of(const SSL& session) {
  const unsigned char* data = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(&session, &data, &size);
  return printable({reinterpret_cast<const char*>(data), size});
}

using Context = std::shared_ptr<SSL_CTX>;

std::expected<Context, std::string> believing(const SSL_METHOD* method, int oldest_version,
                                              const std::filesystem::path& authorities) {
  Context context{SSL_CTX_new(method), SSL_CTX_free};
  if (!context || SSL_CTX_set_min_proto_version(context.get(), oldest_version) != 1) {
    return std::unexpected{"OpenSSL cannot do TLS: " + why_it_failed() + "."};
  }
  SSL_CTX_set_default_verify_paths(context.get());
  if (!authorities.empty() && SSL_CTX_load_verify_file(context.get(), authorities.c_str()) != 1) {
    return std::unexpected{"--ca " + authorities.string() +
                           " holds no certificate that can be "
                           "read (" +
                           why_it_failed() + "): name a PEM file."};
  }
  ERR_clear_error();
  SSL_CTX_set_options(context.get(), SSL_OP_NO_QUERY_MTU);
  // The handshake goes on with whomever it is, so that the report can say who it is.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  return context;
}

// Of DTLS: no datagram of its handshake is longer, so that IP does not cut it up.
constexpr int handshake_bytes = 1200;

// Until when to wait for an answer: the deadline, or when DTLS is to send a flight once more.
SteadyTime next_step(SSL* session, SteadyTime deadline) {
  timeval left{};
  if (SSL_is_dtls(session) == 0 || SSL_ctrl(session, DTLS_CTRL_GET_TIMEOUT, 0, &left) != 1) {
    return deadline;
  }
  return std::min<SteadyTime>(deadline, steady_now() + std::chrono::seconds{left.tv_sec} +
                                            std::chrono::microseconds{left.tv_usec});
}

}  // namespace

// Browsers ask for no less than TLS 1.2.
std::expected<Trust, std::string> load_trust(const std::filesystem::path& authorities) {
  auto streams = believing(TLS_client_method(), TLS1_2_VERSION, authorities);
  if (!streams) return std::unexpected{streams.error()};
  auto datagrams = believing(DTLS_client_method(), DTLS1_2_VERSION, authorities);
  if (!datagrams) return std::unexpected{datagrams.error()};
  return Trust{*std::move(streams), *std::move(datagrams)};
}

std::expected<TlsSession, std::string> shake_hands(const Trust& trust, const TlsPeer& peer,
                                                   int socket, SteadyTime deadline) {
  ERR_clear_error();
  const auto& context = peer.datagrams ? trust.datagrams : trust.streams;
  TlsSession session{context ? SSL_new(context.get()) : nullptr};
  if (!session || !name_peer(session.get(), peer) || SSL_set_fd(session.get(), socket) != 1) {
    return std::unexpected{why_it_failed()};
  }
  SSL_set_mtu(session.get(), handshake_bytes);
  while (true) {
    const int done = SSL_connect(session.get());
    if (done == 1) return session;
    const int wish = SSL_get_error(session.get(), done);
    if (wish != SSL_ERROR_WANT_READ && wish != SSL_ERROR_WANT_WRITE) {
      return std::unexpected{why_it_failed()};
    }
    const auto until = next_step(session.get(), deadline);
    if (wait_for({socket}, wish == SSL_ERROR_WANT_READ ? Wish::read : Wish::write, until)) continue;
    if (until == deadline || SSL_ctrl(session.get(), DTLS_CTRL_HANDLE_TIMEOUT, 0, nullptr) < 0) {
      return std::unexpected{"the server did not answer in time"};
    }
  }
}

Certificate certificate_of(SSL& session) {
  Certificate certificate;
  certificate.protocol = SSL_get_version(&session);
  certificate.alpn = alpn_of(session);
  const X509Pointer shown{SSL_get1_peer_certificate(&session)};
  if (!shown) {
    certificate.distrust = "the server shows none";
    return certificate;
  }
  certificate.names = names_of(shown.get());
  certificate.issuer = issuer_of(shown.get());
  certificate.expiry = expiry_of(shown.get());
  const auto verified = SSL_get_verify_result(&session);
  if (verified != X509_V_OK) certificate.distrust = X509_verify_cert_error_string(verified);
  return certificate;
}

}  // namespace yuelao::probe

#include "runtime/net/Tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <mutex>

#include "runtime/net/Tcp.h"
#include "runtime/net/TlsPeer.h"

namespace sd {
namespace {

// The oldest error in this thread's queue, which is then empty.
std::string opensslError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown cause";
  const char *reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("OpenSSL error {:x}", code);
}

// OpenSSL's own socket BIO raises SIGPIPE; this one does not.
int bioWrite(BIO *bio, const char *data, int size) {
  BIO_clear_retry_flags(bio);
  const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const auto bytes = std::span(reinterpret_cast<const std::uint8_t *>(data), static_cast<std::size_t>(size));
  const Expected<IoResult> result = sendBytes(fd, bytes, {});
  if (!result) return -1;
  if (result->bytes == 0) {
    BIO_set_retry_write(bio);
    return -1;
  }
  return static_cast<int>(result->bytes);
}

int bioRead(BIO *bio, char *data, int size) {
  BIO_clear_retry_flags(bio);
  const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const auto bytes = std::span(reinterpret_cast<std::uint8_t *>(data), static_cast<std::size_t>(size));
  const Expected<IoResult> result = receiveBytes(fd, bytes);
  if (!result) return -1;
  if (result->end) return 0;
  if (result->bytes == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  return static_cast<int>(result->bytes);
}

long bioControl(BIO *, int command, long, void *) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO *makeBio(int descriptor) {
  static BIO_METHOD *const method = [] {
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    BIO_meth_set_write(made, bioWrite);
    BIO_meth_set_read(made, bioRead);
    BIO_meth_set_ctrl(made, bioControl);
    return made;
  }();
  BIO *bio = BIO_new(method);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, reinterpret_cast<void *>(static_cast<std::intptr_t>(descriptor)));
  BIO_set_init(bio, 1);
  return bio;
}

class TlsStream final : public ByteStream {
public:
  TlsStream(Socket socket, SSL *ssl, std::uint64_t bytesPerKey)
      : socket_(std::move(socket)), ssl_(ssl), bytesPerKey_(bytesPerKey) {}
  ~TlsStream() override { SSL_free(ssl_); }
  TlsStream(const TlsStream &) = delete;
  TlsStream &operator=(const TlsStream &) = delete;

  int descriptor() const override { return socket_.get(); }
  Expected<IoWait> handshake() override;
  Expected<IoResult> read(std::span<std::uint8_t> out) override;
  Expected<IoResult> write(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) override;
  Expected<std::vector<std::uint8_t>> channelBinding();
  std::optional<PeerCertificate> peer();
  void endWrite() override;

private:
  static constexpr std::size_t kRecord = 16384;
  static constexpr std::size_t kTurn = 16 * kRecord; // reader and writer take turns

  // What to do after a call that returned `status`.
  Expected<IoResult> afterwards(int status) const;
  std::string explainFailure() const;
  std::span<const std::uint8_t> joined(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body);
  void renewKeys(std::size_t justWritten);

  const Socket socket_;
  SSL *const ssl_; // not safe for two threads at once
  const std::uint64_t bytesPerKey_;
  std::mutex mutex_;
  std::array<std::uint8_t, kRecord> record_; // a short head and its body leave as one record
  std::uint64_t writtenWithKey_ = 0;
  bool established_ = false;
};

Expected<std::vector<std::uint8_t>> TlsStream::channelBinding() {
  static constexpr std::string_view kLabel = "EXPORTER-Channel-Binding"; // RFC 9266, section 4.2
  std::vector<std::uint8_t> binding(32);
  const std::lock_guard lock(mutex_);
  ERR_clear_error();
  if (SSL_export_keying_material(ssl_, binding.data(), binding.size(), kLabel.data(), kLabel.size(), nullptr, 0, 0) !=
      1)
    return fail("the TLS connection gives no channel binding: {}", opensslError());
  return binding;
}

std::optional<PeerCertificate> TlsStream::peer() {
  const std::lock_guard lock(mutex_);
  const X509 *certificate = established_ ? SSL_get0_peer_certificate(ssl_) : nullptr;
  return certificate ? std::optional(describeCertificate(certificate)) : std::nullopt;
}

Expected<IoWait> TlsStream::handshake() {
  const std::lock_guard lock(mutex_);
  ERR_clear_error();
  const int status = SSL_do_handshake(ssl_);
  established_ = status == 1;
  if (established_) return IoWait::None;
  const int reason = ERR_GET_REASON(ERR_peek_error());
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST) {
    // OpenSSL says nothing to a peer without TLS; from this alert (protocol_version) it will know what is wrong.
    static constexpr std::uint8_t kAlert[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46};
    if (SSL_is_server(ssl_) == 1) SD_TRY(sendBytes(descriptor(), kAlert, {}));
  }
  SD_ASSIGN(const IoResult result, afterwards(status));
  if (result.end) return fail(ErrorKind::Network, "closed the connection during the TLS handshake");
  return result.wait;
}

Expected<IoResult> TlsStream::read(std::span<std::uint8_t> out) {
  const std::lock_guard lock(mutex_);
  IoResult total;
  out = out.first(std::min(out.size(), kTurn));
  while (total.bytes < out.size()) {
    ERR_clear_error();
    std::size_t count = 0;
    const int status = SSL_read_ex(ssl_, out.data() + total.bytes, out.size() - total.bytes, &count);
    total.bytes += count;
    if (status == 1) continue;
    SD_ASSIGN(const IoResult result, afterwards(status));
    // Bytes come first: the end will be there at the next call too.
    total.wait = result.wait;
    total.end = result.end && total.bytes == 0;
    return total;
  }
  return total;
}

Expected<IoResult> TlsStream::write(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) {
  const std::lock_guard lock(mutex_);
  IoResult total;
  while ((!head.empty() || !body.empty()) && total.bytes < kTurn) {
    const std::span<const std::uint8_t> next = head.empty() ? body : joined(head, body);
    ERR_clear_error();
    std::size_t count = 0;
    const int status = SSL_write_ex(ssl_, next.data(), next.size(), &count);
    if (status != 1) {
      SD_ASSIGN(const IoResult result, afterwards(status));
      if (result.end) return fail("closed the connection");
      total.wait = result.wait;
      return total;
    }
    total.bytes += count;
    const std::size_t ofHead = std::min(count, head.size());
    head = head.subspan(ofHead);
    body = body.subspan(count - ofHead);
    renewKeys(count);
  }
  return total;
}

std::span<const std::uint8_t> TlsStream::joined(std::span<const std::uint8_t> head,
                                                std::span<const std::uint8_t> body) {
  head = head.first(std::min(head.size(), kRecord));
  body = body.first(std::min(body.size(), kRecord - head.size()));
  std::copy(head.begin(), head.end(), record_.begin());
  std::copy(body.begin(), body.end(), record_.begin() + static_cast<std::ptrdiff_t>(head.size()));
  return std::span(record_).first(head.size() + body.size());
}

void TlsStream::renewKeys(std::size_t justWritten) {
  writtenWithKey_ += justWritten;
  if (writtenWithKey_ < bytesPerKey_) return;
  writtenWithKey_ = 0;
  SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED); // takes effect with the next write
}

void TlsStream::endWrite() {
  const std::lock_guard lock(mutex_);
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
  ::shutdown(descriptor(), SHUT_WR);
}

Expected<IoResult> TlsStream::afterwards(int status) const {
  switch (SSL_get_error(ssl_, status)) {
  case SSL_ERROR_WANT_READ:
    return IoResult{0, IoWait::Read};
  case SSL_ERROR_WANT_WRITE:
    return IoResult{0, IoWait::Write};
  case SSL_ERROR_ZERO_RETURN:
    return IoResult{.bytes = 0, .wait = IoWait::None, .end = true};
  case SSL_ERROR_SYSCALL:
    if (ERR_peek_error() == 0) return fail(ErrorKind::Network, "cut the connection");
    [[fallthrough]];
  default:
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      ERR_clear_error();
      return fail(ErrorKind::Network, "closed the connection without a word");
    }
    return fail(ErrorKind::Refused, "{}", explainFailure());
  }
}

// Completes "the peer at HOST:PORT ..." for what users meet: certificates that don't fit, and a peer without TLS.
std::string TlsStream::explainFailure() const {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  const long verified = SSL_get_verify_result(ssl_);
  const std::string words = opensslError();
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
    const bool otherHost = verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH;
    return fmt::format("has a certificate that is not accepted here: {} ({})", X509_verify_cert_error_string(verified),
                       otherHost ? "it must name the host given with --address, a dealer's the one given with dealer="
                                 : "see --tls-ca");
  }
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    return "shows no certificate; it needs --tls-cert and --tls-key";
  if (!established_ && (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST))
    return "does not speak TLS; does it run without --tls-cert, or is it another program";
  if (reason > SSL_AD_REASON_OFFSET) // an alert: the peer's words
    return fmt::format("refuses this side's TLS ({}); does its --tls-ca accept the certificate given here", words);
  return fmt::format("breaks TLS ({})", words);
}

bool isOurGroup(gid_t group) {
  if (group == ::getegid()) return true;
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  return std::find(groups.begin(), groups.begin() + std::max(count, 0), group) != groups.begin() + std::max(count, 0);
}

// Whoever has the key can pass for this side. A group that reads it is as good as its owner if it is this process's:
// secrets are handed to services so (ssl-cert, Kubernetes, systemd's credentials).
Expected<void> checkKeyIsPrivate(const std::string &path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return {}; // loading it says why
  if ((status.st_mode & 077) == 0) return {};
  const bool trusted = status.st_uid == 0 || status.st_uid == ::geteuid();
  if ((status.st_mode & 037) == 0 && trusted && isOurGroup(status.st_gid)) return {};
  return fail("others may read or change the private key '{}' (--tls-key; mode {:04o}): chmod 600 {}", path,
              status.st_mode & 07777, path);
}

// With a list, a certificate that is on it, or for which there is no list in force, is refused.
Expected<void> loadRevocations(SSL_CTX *context, const std::string &path) {
  if (path.empty()) return {};
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
  if (lookup == nullptr || X509_load_crl_file(lookup, path.c_str(), X509_FILETYPE_PEM) < 1)
    return fail("cannot read revoked certificates from '{}' (--tls-crl): {}", path, opensslError());
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return {};
}

Expected<void> loadFiles(SSL_CTX *context, const TlsFiles &files) {
  if (SSL_CTX_use_certificate_chain_file(context, files.cert.c_str()) != 1)
    return fail("cannot read a certificate from '{}' (--tls-cert): {}", files.cert, opensslError());
  SD_TRY(checkKeyIsPrivate(files.key));
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail("cannot use the private key of '{}' (--tls-key): {}", files.key, opensslError());
  if (SSL_CTX_check_private_key(context) != 1)
    return fail("the key of '{}' does not belong to the certificate of '{}'", files.key, files.cert);
  if (SSL_CTX_load_verify_locations(context, files.ca.c_str(), nullptr) != 1)
    return fail("cannot read certificates from '{}' (--tls-ca): {}", files.ca, opensslError());
  SD_TRY(loadRevocations(context, files.crl));
  // The server names the authorities it accepts, so that the other side's errors can too.
  if (STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(files.ca.c_str()))
    SSL_CTX_set_client_CA_list(context, names);
  ERR_clear_error();
  return {};
}

std::unique_ptr<ByteStream> wrap(SSL_CTX *context, Socket socket, std::uint64_t bytesPerKey, const std::string *host) {
  SSL *ssl = SSL_new(context);
  BIO *bio = makeBio(socket.get());
  if (ssl == nullptr || bio == nullptr) {
    SSL_free(ssl);
    BIO_free(bio);
    return nullptr;
  }
  SSL_set_bio(ssl, bio, bio);
  auto stream = std::make_unique<TlsStream>(std::move(socket), ssl, bytesPerKey);
  if (host == nullptr) {
    SSL_set_accept_state(ssl);
    return stream;
  }
  SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(param, host->c_str()) == 1) return stream;
  ERR_clear_error();
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (SSL_set1_host(ssl, host->c_str()) != 1 || SSL_set_tlsext_host_name(ssl, host->c_str()) != 1) return nullptr;
  return stream;
}

} // namespace

Expected<std::optional<TlsFiles>> tlsFilesFromOptions(TlsFiles files) {
  const int given = !files.cert.empty() + !files.key.empty() + !files.ca.empty();
  if (given == 0 && !files.crl.empty()) return fail("--tls-crl goes with --tls-cert, --tls-key and --tls-ca");
  if (given == 0) return std::nullopt;
  if (given < 3)
    return fail("TLS needs --tls-cert, --tls-key and --tls-ca together; missing: {}{}{}",
                files.cert.empty() ? "--tls-cert " : "", files.key.empty() ? "--tls-key " : "",
                files.ca.empty() ? "--tls-ca " : "");
  return files;
}

Expected<TlsContext> TlsContext::load(const TlsFiles &files) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_method()), SSL_CTX_free);
  if (!context) return fail("OpenSSL offers no TLS: {}", opensslError());
  // AES-128 matches the security level of the protocols and is the fastest.
  if (SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context.get(),
                               "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384") != 1)
    return fail("OpenSSL offers no TLS 1.3: {}", opensslError());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0); // no resumption: every session checks the certificates
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SD_TRY(loadFiles(context.get(), files));
  return TlsContext(std::move(context));
}

std::unique_ptr<ByteStream> TlsContext::server(Socket socket, std::uint64_t bytesPerKey) const {
  return wrap(context_.get(), std::move(socket), bytesPerKey, nullptr);
}

std::unique_ptr<ByteStream> TlsContext::client(Socket socket, const std::string &host,
                                               std::uint64_t bytesPerKey) const {
  return wrap(context_.get(), std::move(socket), bytesPerKey, &host);
}

std::int64_t TlsContext::expires() const {
  tm end{};
  const X509 *certificate = SSL_CTX_get0_certificate(context_.get());
  return certificate != nullptr && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1 ? timegm(&end) : 0;
}

std::optional<PeerCertificate> tlsPeer(ByteStream &stream) {
  auto *tls = dynamic_cast<TlsStream *>(&stream);
  return tls ? tls->peer() : std::nullopt;
}

Expected<std::vector<std::uint8_t>> tlsBinding(ByteStream &stream) {
  auto *tls = dynamic_cast<TlsStream *>(&stream);
  return tls ? tls->channelBinding() : std::vector<std::uint8_t>{};
}

} // namespace sd

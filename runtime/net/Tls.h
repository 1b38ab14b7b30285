// TLS 1.3 with certificates on both sides.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/net/ByteStream.h"
#include "runtime/net/Socket.h"

struct ssl_ctx_st;

namespace sd {

// PEM files: this side's certificate chain and private key, and the authorities that may have signed the peer's.
struct TlsFiles {
  std::string cert, key, ca;
  std::string crl = {}; // the certificates that the authorities have revoked; none if empty
};

// From the three command line options: all, or none (plain TCP), else an error.
Expected<std::optional<TlsFiles>> tlsFilesFromOptions(TlsFiles files);

// ChannelBinding.h, for the stream of a connection; after its handshake.
Expected<std::vector<std::uint8_t>> tlsBinding(ByteStream &stream);

class TlsContext {
public:
  // The files, loaded and checked against each other. A key that others may read or write is refused;
  // its group may read it if that is one of this process's and root or this user owns it.
  static Expected<TlsContext> load(const TlsFiles &files);

  // When this side's certificate ends, in seconds since 1970.
  std::int64_t expires() const;

  // Keys are renewed after this many bytes sent; AES-GCM allows some 2^24 records, 256 GiB, per key (RFC 8446, 5.5).
  static constexpr std::uint64_t kBytesPerKey = std::uint64_t{64} << 30;

  // Any peer with a certificate of the authorities.
  std::unique_ptr<ByteStream> server(Socket socket, std::uint64_t bytesPerKey = kBytesPerKey) const;

  // Only a peer whose certificate is for `host`, a name or an IP address.
  std::unique_ptr<ByteStream> client(Socket socket, const std::string &host,
                                     std::uint64_t bytesPerKey = kBytesPerKey) const;

private:
  explicit TlsContext(std::shared_ptr<ssl_ctx_st> context) : context_(std::move(context)) {}
  std::shared_ptr<ssl_ctx_st> context_;
};

} // namespace sd

// The peer's certificate, from the stream that carries a connection to the words that describe it.
#pragma once

#include "runtime/net/ByteStream.h"
#include "runtime/net/PeerCertificate.h"

struct x509_st;

namespace sd {

// Nothing if the stream is not TLS, or its handshake is not done.
std::optional<PeerCertificate> tlsPeer(ByteStream &stream);

PeerCertificate describeCertificate(const x509_st *certificate);

} // namespace sd

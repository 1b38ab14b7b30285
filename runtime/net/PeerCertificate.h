// Who the peer is by its TLS certificate, which this side's authorities have signed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/net/Channel.h"

namespace sd {

struct PeerCertificate {
  std::string subject;            // RFC 2253: "CN=clinic.example,O=Clinic"
  std::vector<std::string> names; // subjectAltName: "DNS:clinic.example", "URI:...", "email:...", "IP:192.0.2.1"
  std::string fingerprint;        // "sha256:" and 64 hexadecimal digits, of the whole certificate

  // Whether `wanted` is its subject, one of its names, or its fingerprint.
  bool is(std::string_view wanted) const;
};

// Nothing if the connection is not TLS.
std::optional<PeerCertificate> peerCertificate(Connection &connection);

} // namespace sd

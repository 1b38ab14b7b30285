#include "runtime/net/PeerCertificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

#include "runtime/net/TlsPeer.h"

namespace sd {
namespace {

std::string subjectOf(const X509 *certificate) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), BIO_free);
  if (!text || X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0) return {};
  char *bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return {bytes, static_cast<std::size_t>(std::max(size, 0L))};
}

std::string textOf(const ASN1_STRING *string) {
  return {reinterpret_cast<const char *>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string addressOf(const ASN1_OCTET_STRING *bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  if (ASN1_STRING_length(bytes) != 4 && ASN1_STRING_length(bytes) != 16) return {};
  inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof text);
  return text;
}

std::string nameOf(const GENERAL_NAME &name) {
  switch (name.type) {
  case GEN_DNS:
    return "DNS:" + textOf(name.d.dNSName);
  case GEN_URI:
    return "URI:" + textOf(name.d.uniformResourceIdentifier);
  case GEN_EMAIL:
    return "email:" + textOf(name.d.rfc822Name);
  case GEN_IPADD:
    return "IP:" + addressOf(name.d.iPAddress);
  default:
    return {};
  }
}

std::vector<std::string> namesOf(const X509 *certificate) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all(
      static_cast<GENERAL_NAMES *>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i)
    if (std::string name = nameOf(*sk_GENERAL_NAME_value(all.get(), i)); !name.empty())
      names.push_back(std::move(name));
  return names;
}

std::string fingerprintOf(const X509 *certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  std::string text = "sha256:";
  if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return {};
  for (unsigned int i = 0; i < size; ++i)
    text += fmt::format("{:02x}", digest[i]);
  return text;
}

} // namespace

bool PeerCertificate::is(std::string_view wanted) const {
  return !wanted.empty() &&
         (wanted == subject || wanted == fingerprint || std::find(names.begin(), names.end(), wanted) != names.end());
}

PeerCertificate describeCertificate(const x509_st *certificate) {
  return {subjectOf(certificate), namesOf(certificate), fingerprintOf(certificate)};
}

} // namespace sd

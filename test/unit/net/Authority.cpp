#include "test/unit/net/Authority.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace sd::test {
namespace {

using File = std::unique_ptr<FILE, int (*)(FILE *)>;

void addExtension(X509 *certificate, X509 *issuer, int kind, const std::string &value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  ASSERT_NE(extension, nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

struct Names {
  std::string subject, issuer;
};

X509 *newCertificate(EVP_PKEY *key, const Names &names, long from, long to) {
  static long serial = 0;
  X509 *certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), to);
  X509_set_pubkey(certificate, key);
  const auto put = [](X509_NAME *name, const std::string &text) {
    const auto *bytes = reinterpret_cast<const unsigned char *>(text.c_str());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, bytes, -1, -1, 0);
  };
  put(X509_get_subject_name(certificate), names.subject);
  put(X509_get_issuer_name(certificate), names.issuer);
  return certificate;
}

void save(const std::string &path, X509 *certificate) {
  const File file(std::fopen(path.c_str(), "w"), std::fclose);
  ASSERT_TRUE(file && PEM_write_X509(file.get(), certificate) == 1);
}

void save(const std::string &path, EVP_PKEY *key) {
  const File file(std::fopen(path.c_str(), "w"), std::fclose);
  ASSERT_TRUE(file && PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

} // namespace

Authority::Authority(const std::string &name) : key_(EVP_EC_gen("P-256")) {
  std::string folder = (std::filesystem::temp_directory_path() / ("authority-" + name + "-XXXXXX")).string();
  folder_ = mkdtemp(folder.data());
  certificate_ = newCertificate(key_, {name, name}, -3600, 3600);
  addExtension(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
  addExtension(certificate_, certificate_, NID_key_usage, "critical,keyCertSign,cRLSign");
  X509_sign(certificate_, key_, EVP_sha256());
  save(caFile(), certificate_);
}

Authority::~Authority() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

TlsFiles Authority::issue(const std::string &name, const std::string &subjects, long fromSeconds,
                          long toSeconds) const {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  char issuer[64] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate_), NID_commonName, issuer, sizeof issuer);
  X509 *certificate = newCertificate(key, {name, issuer}, fromSeconds, toSeconds);
  addExtension(certificate, certificate_, NID_subject_alt_name, subjects);
  X509_sign(certificate, key_, EVP_sha256());
  const TlsFiles files{(folder_ / (name + ".pem")).string(), (folder_ / (name + ".key")).string(), caFile()};
  save(files.cert, certificate);
  save(files.key, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

std::string Authority::revoke(const TlsFiles &files, long fromSeconds, long toSeconds) const {
  X509_CRL *list = X509_CRL_new();
  X509_CRL_set_version(list, 1);
  X509_CRL_set_issuer_name(list, X509_get_subject_name(certificate_));
  ASN1_TIME *from = X509_gmtime_adj(nullptr, fromSeconds), *to = X509_gmtime_adj(nullptr, toSeconds);
  X509_CRL_set1_lastUpdate(list, from);
  X509_CRL_set1_nextUpdate(list, to);
  const File in(std::fopen(files.cert.c_str(), "r"), std::fclose);
  X509 *certificate = PEM_read_X509(in.get(), nullptr, nullptr, nullptr);
  X509_REVOKED *entry = X509_REVOKED_new();
  X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate));
  X509_REVOKED_set_revocationDate(entry, from);
  X509_CRL_add0_revoked(list, entry);
  X509_CRL_sign(list, key_, EVP_sha256());
  const std::string path = (folder_ / "crl.pem").string();
  const File out(std::fopen(path.c_str(), "w"), std::fclose);
  EXPECT_EQ(PEM_write_X509_CRL(out.get(), list), 1);
  X509_free(certificate);
  X509_CRL_free(list);
  ASN1_TIME_free(from);
  ASN1_TIME_free(to);
  return path;
}

} // namespace sd::test

// Throwaway certificates, made at test time.
#pragma once

#include <filesystem>
#include <string>

#include "runtime/net/Tls.h"

struct evp_pkey_st;
struct x509_st;

namespace sd::test {

// An authority with its own folder, which is deleted with it.
class Authority {
public:
  explicit Authority(const std::string &name);
  ~Authority();
  Authority(const Authority &) = delete;
  Authority &operator=(const Authority &) = delete;

  // A certificate and key for `subjects` ("DNS:localhost,IP:127.0.0.1"), valid from `fromSeconds` to `toSeconds` from
  // now, with this authority as the one to trust.
  TlsFiles issue(const std::string &name, const std::string &subjects, long fromSeconds = -3600,
                 long toSeconds = 3600) const;
  // A list of revoked certificates, in force from `fromSeconds` to `toSeconds` from now; its file.
  std::string revoke(const TlsFiles &files, long fromSeconds = -3600, long toSeconds = 3600) const;
  std::string caFile() const { return (folder_ / "ca.pem").string(); }

private:
  std::filesystem::path folder_;
  evp_pkey_st *key_;
  x509_st *certificate_;
};

} // namespace sd::test

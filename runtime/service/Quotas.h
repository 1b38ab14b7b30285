// How much each hospital has had. Offline phases count, not results: a hospital that cheats needs those alone.
#pragma once

#include <map>
#include <mutex>

#include "ir/core/Error.h"
#include "runtime/service/Settings.h"
#include "runtime/service/Time.h"

namespace sd::service {

class Quotas {
public:
  explicit Quotas(std::function<TimePoint()> now = std::chrono::system_clock::now) : now_(std::move(now)) {}

  // One session of the hospital's, while it exists.
  class Visit {
  public:
    // Takes one offline phase of the day's; an error if there is none left.
    Expected<void> take();
    std::uint64_t left() const { return left_; } // of the day's, when the session began
    Visit(Visit &&other) noexcept
        : quotas_(std::exchange(other.quotas_, nullptr)), hospital_(other.hospital_), left_(other.left_) {}
    Visit &operator=(Visit &&) = delete;
    ~Visit();

  private:
    friend class Quotas;
    Visit(Quotas &quotas, const HospitalSettings &hospital, std::uint64_t left)
        : quotas_(&quotas), hospital_(hospital), left_(left) {}
    Quotas *quotas_;
    HospitalSettings hospital_;
    std::uint64_t left_;
  };

  // Errors: it has as many sessions as it may, or wants more offline phases than are left of the day's.
  Expected<Visit> visit(const HospitalSettings &hospital, std::uint64_t offlinePhases);

  // What an earlier process has counted on `day`.
  void restore(const std::string &hospital, const std::string &day, std::uint64_t offlinePhases);

private:
  struct Account {
    unsigned sessions = 0;
    std::string day;
    std::uint64_t used = 0; // on that day
  };
  Account &today(const std::string &hospital);

  const std::function<TimePoint()> now_;
  std::mutex mutex_; // guards:
  std::map<std::string, Account> accounts_;
};

} // namespace sd::service

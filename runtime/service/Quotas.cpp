#include "runtime/service/Quotas.h"

namespace sd::service {

Quotas::Account &Quotas::today(const std::string &hospital) {
  Account &account = accounts_[hospital];
  if (std::string day = dayOf(now_()); account.day != day) {
    account.day = std::move(day);
    account.used = 0;
  }
  return account;
}

Expected<Quotas::Visit> Quotas::visit(const HospitalSettings &hospital, std::uint64_t offlinePhases) {
  const std::lock_guard lock(mutex_);
  Account &account = today(hospital.name);
  if (account.sessions >= hospital.sessions)
    return fail(ErrorKind::Refused, "this hospital has {} session{} at the service, as many as it may; try again later",
                account.sessions, account.sessions == 1 ? "" : "s");
  const std::uint64_t left = hospital.inferences - std::min(account.used, hospital.inferences);
  if (offlinePhases > left)
    return fail(ErrorKind::Refused,
                "this hospital may make {} more inferences today (UTC) of its {} a day, and asks for {}", left,
                hospital.inferences, offlinePhases);
  ++account.sessions;
  return Visit(*this, hospital, left);
}

Expected<void> Quotas::Visit::take() {
  const std::lock_guard lock(quotas_->mutex_);
  Account &account = quotas_->today(hospital_.name);
  if (account.used >= hospital_.inferences)
    return fail(ErrorKind::Refused, "this hospital has made its {} inferences of today (UTC)", hospital_.inferences);
  ++account.used;
  return {};
}

Quotas::Visit::~Visit() {
  if (quotas_ == nullptr) return;
  const std::lock_guard lock(quotas_->mutex_);
  --quotas_->accounts_[hospital_.name].sessions;
}

void Quotas::restore(const std::string &hospital, const std::string &day, std::uint64_t offlinePhases) {
  const std::lock_guard lock(mutex_);
  Account &account = today(hospital);
  if (account.day == day) account.used += offlinePhases;
}

} // namespace sd::service

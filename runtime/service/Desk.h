// Where hospitals come to: who are they, what do they ask for, may they, and is there room?
//
// A certificate names the hospital; the greeting names the program and the purpose, bound to the TLS connection.
// Refusals are told to the peer and logged. The audit log has a line before a session begins, without which none does,
// and one after its end.
#pragma once

#include <atomic>

#include "runtime/service/Admission.h"
#include "runtime/service/Audit.h"
#include "runtime/service/Metrics.h"
#include "runtime/service/Quotas.h"
#include "runtime/service/Roster.h"

namespace sd::service {

// All outlive the desk.
struct DeskTools {
  ThreadPool &pool;
  EventLog &log;
  Metrics &metrics;
  Quotas &quotas;
  Admission &admission;
  Audit *audit = nullptr; // or none
};

class Desk {
public:
  Desk(const DeskTools &tools, std::shared_ptr<const Roster> roster);

  // For sessions that begin from now on; from any thread.
  void useRoster(std::shared_ptr<const Roster> roster);
  std::shared_ptr<const Roster> roster() const;

  // One connection, from its greeting to its end; from any thread.
  void serve(std::unique_ptr<Connection> peer);

private:
  struct Visit;
  Expected<void> attend(Visit &visit);
  Expected<void> identify(Visit &visit);
  Expected<void> give(Visit &visit, const Digest &name);
  Expected<void> runSession(Visit &visit, Quotas::Visit &quota);
  Expected<void> audit(const Visit &visit, std::string_view event, std::string_view outcome);
  void conclude(const Visit &visit, const Expected<void> &done);

  const DeskTools tools_;
  const std::string name_; // of this process, for the names of sessions
  std::atomic<std::uint64_t> count_ = 0;
  mutable std::mutex mutex_; // guards:
  std::shared_ptr<const Roster> roster_;
};

// Counts for the quotas what an audit log says of earlier sessions; the lines are to be given in order.
class QuotaHistory {
public:
  explicit QuotaHistory(Quotas &quotas) : quotas_(quotas) {}
  void read(const Fields &line);
  void finish(); // sessions that had no end count as far as they were announced

private:
  struct Open {
    std::string hospital, day;
    std::uint64_t announced = 0;
  };
  Quotas &quotas_;
  std::map<std::string, Open> open_;
};

} // namespace sd::service

#include "runtime/service/Admission.h"

namespace sd::service {

bool Admission::fits(const Wanted &wanted) {
  return bytes_ <= budget_ && wanted.bytes <= budget_ - bytes_ && sessions_[wanted.model] < wanted.sessions;
}

Expected<Admission::Room> Admission::enter(const Wanted &wanted, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (wanted.bytes > budget_)
    return fail(ErrorKind::Refused, "a session of this model takes {} MB of memory, more than the service has",
                wanted.bytes / 1'000'000);
  if (!left_.wait_for(lock, patience, [&] { return fits(wanted); }))
    return fail(ErrorKind::Refused, "the service has no room for another session of this model now; try again later");
  bytes_ += wanted.bytes;
  ++sessions_[wanted.model];
  return Room(*this, wanted);
}

Admission::Room::~Room() {
  if (admission_ == nullptr) return;
  {
    const std::lock_guard lock(admission_->mutex_);
    admission_->bytes_ -= wanted_.bytes;
    --admission_->sessions_[wanted_.model];
  }
  admission_->left_.notify_all();
}

void Admission::setBudget(std::uint64_t budget) {
  {
    const std::lock_guard lock(mutex_);
    budget_ = budget;
  }
  left_.notify_all();
}

std::uint64_t Admission::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::map<std::string, unsigned> Admission::sessions() const {
  const std::lock_guard lock(mutex_);
  return sessions_;
}

} // namespace sd::service

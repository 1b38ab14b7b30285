// Room for sessions: memory that they will take, and how many a model may have.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include "ir/core/Error.h"

namespace sd::service {

class Admission {
public:
  explicit Admission(std::uint64_t budget) : budget_(budget) {} // bytes, of all sessions

  struct Wanted {
    std::string model;
    unsigned sessions = 0;   // that the model may have
    std::uint64_t bytes = 0; // that this one takes
  };

  // The session's room, until it is destroyed.
  class Room {
  public:
    Room(Room &&other) noexcept : admission_(std::exchange(other.admission_, nullptr)), wanted_(other.wanted_) {}
    Room &operator=(Room &&) = delete;
    ~Room();

  private:
    friend class Admission;
    Room(Admission &admission, Wanted wanted) : admission_(&admission), wanted_(std::move(wanted)) {}
    Admission *admission_;
    Wanted wanted_;
  };

  // Waits for room, at most so long. Errors: there was none, or there never will be.
  Expected<Room> enter(const Wanted &wanted, std::chrono::milliseconds patience);

  void setBudget(std::uint64_t budget);             // sessions that have their room keep it
  std::uint64_t bytes() const;                      // taken now
  std::map<std::string, unsigned> sessions() const; // by model

private:
  bool fits(const Wanted &wanted);

  mutable std::mutex mutex_; // guards:
  std::uint64_t budget_;
  std::condition_variable left_;
  std::uint64_t bytes_ = 0;
  std::map<std::string, unsigned> sessions_;
};

} // namespace sd::service

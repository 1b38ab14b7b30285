#include "runtime/net/Service.h"

#include <sys/resource.h>

#include <future>
#include <list>

#include "ir/core/Guard.h"

namespace sd {
namespace {

struct Session {
  std::unique_ptr<Connection> peer;
  std::future<void> over{};

  bool finished() const { return over.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
};

// Leaves the session's place, whatever ends it.
class Place {
public:
  explicit Place(Listener &listener) : listener_(listener) {}
  ~Place() { listener_.leavePlace(); }
  Place(const Place &) = delete;
  Place &operator=(const Place &) = delete;

private:
  Listener &listener_;
};

void run(Listener &listener, const ServiceOptions &options, std::unique_ptr<Connection> peer) {
  const Place place(listener);
  const auto served = guarded([&]() -> Expected<void> {
    options.serve(std::move(peer));
    return {};
  });
  if (!served) options.log(served.error().message);
}

void refuse(Connection &peer, const ServiceOptions &options, const Error &why) {
  options.log(fmt::format("no session with {}: {}", peer.peerName(), why.message));
  peer.close("the service can't begin another session now; try again later");
}

void start(Listener &listener, const ServiceOptions &options, std::list<Session> &sessions,
           std::unique_ptr<Connection> peer) {
  Session &session = sessions.emplace_back(std::move(peer));
  const auto started = guarded([&]() -> Expected<void> {
    session.over = std::async(std::launch::async, [&] { run(listener, options, std::move(session.peer)); });
    return {};
  });
  if (started) return;
  refuse(*session.peer, options, started.error());
  sessions.pop_back();
  listener.leavePlace();
}

void waitFor(const std::list<Session> &sessions, const ServiceOptions &options) {
  const auto deadline = std::chrono::steady_clock::now() + options.drain;
  std::size_t late = 0;
  for (const Session &one : sessions)
    late += one.over.wait_until(deadline) != std::future_status::ready;
  if (late == 0) return;
  options.log(fmt::format("{} session{} cut, {} s after the end was asked for", late, late == 1 ? "" : "s",
                          static_cast<double>(options.drain.count()) / 1000));
  options.cut->wake();
}

} // namespace

std::uint64_t raiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

void serveInTurn(Listener &listener, const ServiceOptions &options) {
  std::list<Session> sessions;
  while (auto peer = listener.acceptInTurn(options.places)) {
    sessions.remove_if([](const Session &one) { return one.finished(); });
    start(listener, options, sessions, std::move(peer));
  }
  sessions.remove_if([](const Session &one) { return one.finished(); });
  options.log(fmt::format("no new sessions; {} still to end", sessions.size()));
  if (options.cut) waitFor(sessions, options);
}

} // namespace sd

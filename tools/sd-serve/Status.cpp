#include "tools/sd-serve/Status.h"

#include <httplib.h>

#include <algorithm>
#include <thread>

#include "ir/core/Guard.h"

namespace sd::service {

struct Status::Impl {
  httplib::Server server;
  Address address;
  std::thread thread;
};

Status::Status(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Status::~Status() {
  impl_->server.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Address Status::address() const { return impl_->address; }

Expected<std::unique_ptr<Status>> Status::start(const StatusOptions &options) {
  if (!isLoopback(options.address))
    return fail("status = \"{}\": the figures name hospitals; only an address of this machine, as 127.0.0.1:9766, has "
                "them",
                toString(options.address));
  auto impl = std::make_unique<Impl>();
  httplib::Server &server = impl->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(2); };
  server.set_keep_alive_max_count(100);
  server.set_keep_alive_timeout(1);
  server.set_read_timeout(2, 0);
  server.set_write_timeout(2, 0);
  server.set_payload_max_length(1024);
  server.Get("/metrics", [options](const httplib::Request &, httplib::Response &response) {
    response.set_content(options.metrics(), "text/plain; version=0.0.4; charset=utf-8");
  });
  server.Get("/healthz",
             [](const httplib::Request &, httplib::Response &response) { response.set_content("ok\n", "text/plain"); });
  server.Get("/readyz", [options](const httplib::Request &, httplib::Response &response) {
    const bool ready = options.ready();
    response.status = ready ? 200 : 503;
    response.set_content(ready ? "ready\n" : "not ready\n", "text/plain");
  });
  const std::string &host = options.address.host;
  impl->address = options.address;
  if (options.address.port == 0)
    impl->address.port = static_cast<std::uint16_t>(std::max(server.bind_to_any_port(host.c_str()), 0));
  else if (!server.bind_to_port(host.c_str(), options.address.port))
    impl->address.port = 0;
  if (impl->address.port == 0)
    return fail(ErrorKind::Network, "cannot listen on {} for the status", toString(options.address));
  std::unique_ptr<Status> status(new Status(std::move(impl)));
  SD_TRY(guarded([&]() -> Expected<void> {
    status->impl_->thread = std::thread([&started = *status->impl_] { started.server.listen_after_bind(); });
    return {};
  }));
  // Before it runs, stop() would do nothing.
  while (!status->impl_->server.is_running())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return status;
}

} // namespace sd::service

// What a monitor asks a service for, over HTTP: /metrics, /healthz (200 while the process lives) and /readyz (200 while
// new sessions are taken, else 503).
#pragma once

#include <functional>
#include <memory>

#include "ir/core/Error.h"
#include "runtime/net/Address.h"

namespace sd::service {

struct StatusOptions {
  Address address; // of this machine's loopback: the figures name hospitals
  std::function<std::string()> metrics;
  std::function<bool()> ready;
};

class Status {
public:
  static Expected<std::unique_ptr<Status>> start(const StatusOptions &options);
  ~Status();
  Status(const Status &) = delete;
  Status &operator=(const Status &) = delete;

  Address address() const; // the real port, where 0 was asked for

private:
  struct Impl;
  explicit Status(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sd::service

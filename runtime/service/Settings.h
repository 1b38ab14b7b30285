// What a service's file says (docs/operating.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/net/AddressRange.h"
#include "runtime/net/Tls.h"
#include "runtime/store/Store.h"

namespace sd::service {

struct ModelSettings {
  std::string name, program, weights;      // files
  StorePlace store;                        // of prepared inferences; none if empty
  unsigned sessions = 8;                   // at once
  std::uint64_t prepare = 1000;            // inferences that one session may prepare
  std::uint64_t keep = 0;                  // inferences that a hospital may have ready; 0: no limit
  bool fresh = true;                       // whether sessions may make their correlations as they run
  std::uint64_t weightCache = 256'000'000; // bytes
};

struct HospitalSettings {
  std::string name;
  std::vector<std::string> certificates; // PeerCertificate::is(); or "any"; or "none": plain TCP
  std::vector<std::string> models;       // names; "any" is all of them
  unsigned sessions = 4;                 // at once
  std::uint64_t inferences = 10'000;     // offline phases in a day (UTC)
};

struct Settings {
  std::string address = "127.0.0.1:7766";
  std::vector<AddressRange> proxies; // EndpointOptions
  std::string status;                // where /metrics, /healthz and /readyz are; nowhere if empty
  unsigned sessions = 8;
  unsigned threads = 0;
  std::uint64_t memory = 0;       // bytes for all; 0: what the machine has
  std::uint64_t records = 10'000; // that a session may announce
  std::chrono::milliseconds timeout{60'000}, longest{3'600'000}, drain{60'000};
  std::chrono::milliseconds patience{20'000}; // that a session waits for room
  TlsFiles tls;                               // none if empty: plain TCP, on this machine alone
  bool json = false;                          // the log's format
  std::string audit;                          // file; none if empty
  std::vector<ModelSettings> models;
  std::vector<HospitalSettings> hospitals;
};

} // namespace sd::service

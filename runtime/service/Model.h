// A model that a service serves: its public program, its weights and its store, loaded.
#pragma once

#include <memory>
#include <variant>

#include "ir/bytecode/ProgramMemory.h"
#include "runtime/service/Settings.h"
#include "runtime/vm/Providers.h"

namespace sd::service {

class Model {
public:
  // `previous`, if it was made of the same files' contents, lends what it has loaded. `warn` is told of what is no
  // error.
  static Expected<std::shared_ptr<const Model>> load(const ModelSettings &settings, unsigned threads,
                                                     const Model *previous,
                                                     const std::function<void(std::string_view)> &warn);

  const ModelSettings &settings() const { return settings_; }
  const LoadedProgram &program() const { return loaded_->program; }
  Bytes file() const { return loaded_->file; }              // the .sdb
  const Digest &weights() const { return loaded_->digest; } // of program and weights
  const Store *store() const { return store_ ? &*store_ : nullptr; }

  std::uint64_t processBytes() const { return loaded_->memory.process; } // of a process, whatever it serves
  std::uint64_t sharedBytes() const;                                     // that all its sessions share
  std::uint64_t sessionBytes(CorrelationSource source) const;            // that each takes

  // runService() of its ring; `options` names its program.
  Expected<SessionStats> serve(Connection &peer, const SessionOptions &options) const;

private:
  template <RingWord R>
  struct Ring {
    WeightSet<R> weights;
    ProviderFactory<ServiceProvider<R>> provider;
  };
  struct Loaded {
    std::vector<std::uint8_t> file;
    LoadedProgram program;
    Digest digest{};
    PartyMemory memory;
    std::uint64_t weightCache = 0;
    std::variant<Ring<Ring32>, Ring<Ring64>> ring;
  };
  static Expected<std::shared_ptr<const Loaded>> loadFiles(const ModelSettings &settings, unsigned threads,
                                                           const std::function<void(std::string_view)> &warn);

  ModelSettings settings_;
  std::shared_ptr<const Loaded> loaded_;
  std::optional<Store> store_;
};

} // namespace sd::service

#include "runtime/service/Model.h"

#include <thread>

#include "ir/bytecode/File.h"
#include "ir/bytecode/ProgramCost.h"
#include "runtime/vm/PrivateWeights.h"

namespace sd::service {

Expected<std::shared_ptr<const Model::Loaded>> Model::loadFiles(const ModelSettings &settings, unsigned threads,
                                                                const std::function<void(std::string_view)> &warn) {
  auto loaded = std::make_shared<Loaded>();
  SD_ASSIGN(loaded->program, readProgramFile(settings.program));
  SD_ASSIGN(loaded->file, readFile(settings.program, std::uint64_t{256} << 20));
  if (digestOf(loaded->file) != loaded->program.digest) return failHere("{}: it changes now", settings.program);
  loaded->weightCache = settings.weightCache;
  const auto all = withRing(loaded->program.program.ringBits, [&]<class R>() -> Expected<void> {
    SD_ASSIGN(WeightSet<R> weights, readPrivateWeights<R>(settings.weights, loaded->program, warn));
    loaded->digest = digestOf(weights);
    loaded->ring = Ring<R>{std::move(weights), twoPartyService<R>(settings.weightCache)};
    return {};
  });
  SD_TRY(all);
  SD_ASSIGN(const ProgramCost cost, costOf(loaded->program.program));
  const unsigned used = threads ? threads : std::thread::hardware_concurrency();
  loaded->memory = memoryOf(loaded->program.program, cost, {settings.weightCache, static_cast<int>(used)})[0];
  return loaded;
}

Expected<std::shared_ptr<const Model>> Model::load(const ModelSettings &settings, unsigned threads,
                                                   const Model *previous,
                                                   const std::function<void(std::string_view)> &warn) {
  auto model = std::make_shared<Model>();
  model->settings_ = settings;
  SD_ASSIGN(model->loaded_, loadFiles(settings, threads, warn));
  const auto same = [&](const Loaded &other) {
    return other.digest == model->loaded_->digest && other.program.digest == model->loaded_->program.digest &&
           other.weightCache == model->loaded_->weightCache;
  };
  if (previous != nullptr && same(*previous->loaded_)) model->loaded_ = previous->loaded_;
  if (!settings.store.where.empty()) {
    SD_ASSIGN(model->store_, Store::openOrCreate(settings.store));
  }
  return model;
}

std::uint64_t Model::sharedBytes() const { return loaded_->memory.weights + loaded_->memory.cache; }

std::uint64_t Model::sessionBytes(CorrelationSource source) const { return loaded_->memory.session(source); }

Expected<SessionStats> Model::serve(Connection &peer, const SessionOptions &options) const {
  return std::visit([&](const auto &ring) { return runService(peer, options, ring.weights, ring.provider); },
                    loaded_->ring);
}

} // namespace sd::service

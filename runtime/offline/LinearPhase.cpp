#include "runtime/offline/LinearPhase.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "ir/core/Guard.h"

namespace sd {

namespace {

std::vector<LinearEntry> linearEntries(const Program &program, const Plan &plan) {
  std::vector<LinearEntry> entries;
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    const PlanEntry &entry = plan.entries[i];
    if (entry.kind != EntryKind::Linear) continue;
    LinearGeometry geometry = geometryOf(program, entry);
    if (entry.transfers)
      entries.push_back({i, linearTaps(geometry)});
    else
      entries.push_back({i, LinearLayer(std::move(geometry))});
  }
  return entries;
}

bool needRlwe(const std::vector<LinearEntry> &entries) {
  return std::ranges::any_of(entries,
                             [](const LinearEntry &e) { return std::holds_alternative<LinearLayer>(e.method); });
}

// The walk, shared by the uploading and the collecting thread.
class SharedWalk {
public:
  explicit SharedWalk(MaskWalk<Ring32> &walk) : walk_(walk) {}

  Expected<SecretVector<Ring>> waitForOperand(std::size_t entry) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || walk_.ready(entry); });
    if (stopped_) return fail("the linear correlations were not completed");
    return walk_.operand(entry, 0);
  }

  Expected<void> announce(std::size_t entry, std::span<const Ring> mask) {
    std::lock_guard lock(mutex_);
    auto done = walk_.announce(entry, mask);
    changed_.notify_all();
    return done;
  }

  // The seeds of the next entry by transfers, from the uploading thread, once its choices are said.
  void said(ReceiverSeeds<Ring32> seeds) {
    std::lock_guard lock(mutex_);
    said_.push_back(std::move(seeds));
    changed_.notify_all();
  }

  Expected<ReceiverSeeds<Ring32>> waitForSaid() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || !said_.empty(); });
    if (said_.empty()) return fail("the linear correlations were not completed");
    ReceiverSeeds<Ring32> seeds = std::move(said_.front());
    said_.pop_front();
    return seeds;
  }

  void stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

private:
  MaskWalk<Ring32> &walk_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ReceiverSeeds<Ring32>> said_;
  bool stopped_ = false;
};

} // namespace

Expected<void> ServiceLinear::run(const OfflineJob &job, const WeightSet<Ring32> &weights,
                                  std::vector<SenderSeeds> seeds, const Sink<ServiceMaterial<Ring32>> &sink) {
  if (entries_.empty()) entries_ = linearEntries(job.program, job.plan);
  if (!rlwe_ && needRlwe(entries_)) {
    SD_ASSIGN(rlwe_, LinearService<Ring32>::setUp(channel_, seed_));
  }
  ThreadPool single(1);
  ThreadPool &threads = job.pool ? *job.pool : single;
  auto nextSeeds = seeds.begin();
  std::size_t rlweLayers = 0;
  const auto answer = [&](const LinearLayer &layer, std::span<const std::int32_t> matrix, std::span<Ring> u) {
    LayerTransforms *kept =
        transforms_ ? &transforms_->of(rlweLayers++, keptPolynomials(layer), 8 * RlweParameters<Ring32>::kPolyWords)
                    : nullptr;
    return rlwe_->answer(layer, matrix, u, threads, kept);
  };
  for (const LinearEntry &own : entries_) {
    const PlanEntry &entry = job.plan.entries[own.index];
    const auto &matrix = weights.tensors[entry.weights].data;
    SecretVector<Ring> u(entry.elements);
    const auto *taps = std::get_if<LinearTaps>(&own.method);
    auto done = taps ? answerTransfers<Ring32>(channel_, *taps, matrix, std::move(*nextSeeds++), u.span())
                     : answer(std::get<LinearLayer>(own.method), matrix, u.span());
    if (!done)
      return fail("{} ({}): {}", info(job.program.instructions[entry.instruction].op).mnemonic,
                  job.program.instructions[entry.instruction].source, done.error().message);
    SD_TRY(sink(own.index, LinearMaterial<Ring32>{std::move(u)}));
  }
  return {};
}

Expected<void> ClientLinear::run(const OfflineJob &job, MaskWalk<Ring32> &walk,
                                 std::vector<ReceiverSeeds<Ring32>> seeds) {
  if (entries_.empty()) entries_ = linearEntries(job.program, job.plan);
  if (!rlwe_ && needRlwe(entries_)) {
    SD_ASSIGN(rlwe_, LinearHospital<Ring32>::setUp(channel_, seed_));
  }
  ThreadPool single(1);
  ThreadPool &threads = job.pool ? *job.pool : single;
  SharedWalk shared(walk);
  Expected<void> collected;
  std::thread collector([&] {
    collected = guarded([&]() -> Expected<void> {
      for (const LinearEntry &own : entries_) {
        SecretVector<Ring> v(job.plan.entries[own.index].elements);
        if (const auto *taps = std::get_if<LinearTaps>(&own.method)) {
          SD_ASSIGN(const ReceiverSeeds<Ring32> said, shared.waitForSaid());
          SD_TRY(collectTransfers<Ring32>(channel_, *taps, said, v.span()));
        } else {
          SD_TRY(rlwe_->collect(std::get<LinearLayer>(own.method), v.span(), threads));
        }
        SD_TRY(shared.announce(own.index, v.span()));
      }
      return {};
    });
    if (!collected) shared.stop();
  });
  const auto uploaded = guarded([&]() -> Expected<void> {
    auto nextSeeds = seeds.begin();
    for (const LinearEntry &own : entries_) {
      SD_ASSIGN(const SecretVector<Ring> r, shared.waitForOperand(own.index));
      if (const auto *layer = std::get_if<LinearLayer>(&own.method)) {
        SD_TRY(rlwe_->upload(*layer, r.span(), threads));
        continue;
      }
      SD_TRY(sendTransferChoices<Ring32>(channel_, r.span(), *nextSeeds));
      shared.said(std::move(*nextSeeds++));
    }
    return {};
  });
  if (!uploaded) shared.stop();
  collector.join(); // ends by itself when the connection does
  SD_TRY(collected);
  return uploaded;
}

} // namespace sd

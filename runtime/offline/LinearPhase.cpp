#include "runtime/offline/LinearPhase.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "ir/core/Guard.h"

namespace sd {

namespace {

std::vector<std::size_t> linearEntries(const Plan &plan) {
  std::vector<std::size_t> entries;
  for (std::size_t i = 0; i < plan.entries.size(); ++i)
    if (plan.entries[i].kind == EntryKind::Linear) entries.push_back(i);
  return entries;
}

// The walk, shared by the uploading and the collecting thread.
class SharedWalk {
public:
  explicit SharedWalk(MaskWalk &walk) : walk_(walk) {}

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

  void stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

private:
  MaskWalk &walk_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

} // namespace

std::vector<LinearLayer> linearLayers(const Program &program, const Plan &plan) {
  std::vector<LinearLayer> layers;
  for (std::size_t i : linearEntries(plan)) {
    const Instruction &instruction = program.instructions[plan.entries[i].instruction];
    std::vector<Type> operands;
    for (SlotId slot : instruction.operands)
      operands.push_back(program.slots[slot]);
    layers.emplace_back(linearGeometry(instruction.op, operands, instruction.attrs, program.slots[instruction.result]));
  }
  return layers;
}

Expected<ServiceLinear> ServiceLinear::setUp(Channel &channel, const Seed &seed) {
  SD_ASSIGN(LinearService service, LinearService::setUp(channel, seed));
  return ServiceLinear(std::move(service));
}

Expected<void> ServiceLinear::run(const OfflineJob &job, const WeightSet &weights, const Sink<ServiceMaterial> &sink) {
  if (layers_.empty()) layers_ = linearLayers(job.program, job.plan);
  ThreadPool single(1);
  ThreadPool &threads = job.pool ? *job.pool : single;
  const auto entries = linearEntries(job.plan);
  for (std::size_t k = 0; k < entries.size(); ++k) {
    const PlanEntry &entry = job.plan.entries[entries[k]];
    SecretVector<Ring> u(entry.elements);
    auto done = service_.answer(layers_[k], weights.tensors[entry.weights].data, u.span(), threads);
    if (!done)
      return fail("{} ({}): {}", info(job.program.instructions[entry.instruction].op).mnemonic,
                  job.program.instructions[entry.instruction].source, done.error().message);
    SD_TRY(sink(entries[k], LinearMaterial{std::move(u)}));
  }
  return {};
}

Expected<ClientLinear> ClientLinear::setUp(Channel &channel, const Seed &seed) {
  SD_ASSIGN(LinearHospital hospital, LinearHospital::setUp(channel, seed));
  return ClientLinear(std::move(hospital));
}

Expected<void> ClientLinear::run(const OfflineJob &job, MaskWalk &walk) {
  if (layers_.empty()) layers_ = linearLayers(job.program, job.plan);
  ThreadPool single(1);
  ThreadPool &threads = job.pool ? *job.pool : single;
  const auto entries = linearEntries(job.plan);
  SharedWalk shared(walk);
  Expected<void> collected;
  std::thread collector([&] {
    collected = guarded([&]() -> Expected<void> {
      for (std::size_t k = 0; k < entries.size(); ++k) {
        SecretVector<Ring> v(job.plan.entries[entries[k]].elements);
        SD_TRY(hospital_.collect(layers_[k], v.span(), threads));
        SD_TRY(shared.announce(entries[k], v.span()));
      }
      return {};
    });
    if (!collected) shared.stop();
  });
  const auto uploaded = guarded([&]() -> Expected<void> {
    for (std::size_t k = 0; k < entries.size(); ++k) {
      SD_ASSIGN(const SecretVector<Ring> r, shared.waitForOperand(entries[k]));
      SD_TRY(hospital_.upload(layers_[k], r.span(), threads));
    }
    return {};
  });
  collector.join(); // ends by itself when the connection does
  SD_TRY(collected);
  return uploaded;
}

} // namespace sd

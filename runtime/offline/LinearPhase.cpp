#include "runtime/offline/LinearPhase.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "ir/core/Guard.h"
#include "runtime/he/PackingLayout.h"

namespace sd {

namespace {

std::vector<LinearEntry> linearEntries(const Program &program, const Plan &plan) {
  std::vector<LinearEntry> entries;
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    const PlanEntry &entry = plan.entries[i];
    if (entry.kind == EntryKind::Dot) entries.push_back({i, chooseDotPacking(entry.dot)});
    if (entry.kind != EntryKind::Linear) continue;
    LinearGeometry geometry = geometryOf(program, entry);
    if (entry.transfers)
      entries.push_back({i, linearTaps(geometry)});
    else
      entries.push_back({i, LinearLayer(std::move(geometry))});
  }
  return entries;
}

template <class Method>
bool any(const std::vector<LinearEntry> &entries) {
  return std::ranges::any_of(entries, [](const LinearEntry &e) { return std::holds_alternative<Method>(e.method); });
}

// Of the parties' seeds: the keys of linear layers and of products of matrices are not one.
Seed dotSeed(const Seed &seed) { return seed.derive("products of matrices"); }

// Before anything is answered, since replies add up over an inference.
template <RingWord R>
Expected<void> checkHiddenInAll(const OfflineJob &job, const WeightSet<R> &weights,
                                const std::vector<LinearEntry> &entries) {
  double sum = 0, largest = 0;
  const Instruction *most = nullptr;
  constexpr int kBits = kBitsOf<R>;
  for (const LinearEntry &own : entries) {
    if (const auto *dot = std::get_if<DotPacking>(&own.method))
      sum += dotSquares(*dot) * (maxReplySquares(kBits) / maxReplySquares(kBits, RlweUse::Masks));
    const auto *layer = std::get_if<LinearLayer>(&own.method);
    if (!layer) continue;
    const PlanEntry &entry = job.plan.entries[own.index];
    const double squares =
        replySquares<SignedOf<R>>(layer->geometry, layer->packing, weights.tensors[entry.weights].data);
    sum += squares;
    if (squares >= largest) {
      largest = squares;
      most = &job.program.instructions[entry.instruction];
    }
  }
  if (auto hidden = checkHidden<R>(sum); !hidden && most)
    return failAs(hidden.error(), "{} (the most of it by {} {})", hidden.error().message, info(most->op).mnemonic,
                  most->source);
  else
    return hidden;
}

// The walk, shared by the uploading and the collecting thread.
template <RingWord R>
class SharedWalk {
public:
  explicit SharedWalk(MaskWalk<R> &walk) : walk_(walk) {}

  Expected<SecretVector<R>> waitForOperand(std::size_t entry, int which) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return cause_ || walk_.ready(entry); });
    if (cause_) return tl::unexpected(*cause_);
    return walk_.operand(entry, which);
  }

  Expected<void> announce(std::size_t entry, std::span<const R> mask) {
    std::lock_guard lock(mutex_);
    auto done = walk_.announce(entry, mask);
    changed_.notify_all();
    return done;
  }

  // The seeds of the next entry by transfers, from the uploading thread, once its choices are said.
  void said(ReceiverSeeds<R> seeds) {
    std::lock_guard lock(mutex_);
    said_.push_back(std::move(seeds));
    changed_.notify_all();
  }

  Expected<ReceiverSeeds<R>> waitForSaid() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return cause_ || !said_.empty(); });
    if (said_.empty()) return tl::unexpected(*cause_);
    ReceiverSeeds<R> seeds = std::move(said_.front());
    said_.pop_front();
    return seeds;
  }

  // Whoever waits fails with the first cause, so that both threads say what happened and not that the other one ended.
  void stop(const Error &cause) {
    std::lock_guard lock(mutex_);
    if (!cause_) cause_ = cause;
    changed_.notify_all();
  }

private:
  MaskWalk<R> &walk_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ReceiverSeeds<R>> said_;
  std::optional<Error> cause_;
};

} // namespace

template <RingWord R>
Expected<void> ServiceLinear<R>::run(const OfflineJob &job, const WeightSet<R> &weights, std::vector<SenderSeeds> seeds,
                                     const Sink<ServiceMaterial<R>> &sink) {
  if (entries_.empty()) {
    entries_ = linearEntries(job.program, job.plan);
    SD_TRY(checkHiddenInAll<R>(job, weights, entries_));
  }
  if (!rlwe_ && any<LinearLayer>(entries_)) {
    SD_ASSIGN(rlwe_, LinearService<R>::setUp(channel_, seed_));
  }
  if (!dots_ && any<DotPacking>(entries_)) {
    SD_ASSIGN(dots_, DotService<R>::setUp(channel_, dotSeed(seed_)));
  }
  Prg factors(job.seed.derive("factors of matrices"));
  ThreadPool single(1);
  ThreadPool &threads = job.pool ? *job.pool : single;
  auto nextSeeds = seeds.begin();
  std::size_t rlweLayers = 0;
  const auto answer = [&](const LinearLayer &layer, std::span<const SignedOf<R>> matrix, std::span<R> u) {
    LayerTransforms *kept =
        transforms_ ? &transforms_->of(rlweLayers++, keptPolynomials(layer), 8 * RlweParameters<R>::kPolyWords)
                    : nullptr;
    return rlwe_->answer(layer, matrix, u, threads, kept);
  };
  const auto named = [&](const PlanEntry &entry, Error error) {
    const Instruction &instruction = job.program.instructions[entry.instruction];
    return failAs(error, "{} ({}): {}", info(instruction.op).mnemonic, instruction.source, error.message);
  };
  for (const LinearEntry &own : entries_) {
    const PlanEntry &entry = job.plan.entries[own.index];
    if (const auto *dot = std::get_if<DotPacking>(&own.method)) {
      ProductService<R> material{randomRing<R>(entry.left(), factors), randomRing<R>(entry.right(), factors),
                                 SecretVector<R>(entry.elements)};
      if (auto done =
              dots_->answer(*dot, material.alpha.span(), material.beta.span(), material.product.span(), threads);
          !done)
        return named(entry, done.error());
      SD_TRY(sink(own.index, std::move(material)));
      continue;
    }
    const auto &matrix = weights.tensors[entry.weights].data;
    SecretVector<R> u(entry.elements);
    const auto *taps = std::get_if<LinearTaps>(&own.method);
    auto done = taps ? answerTransfers<R>(channel_, *taps, matrix, std::move(*nextSeeds++), u.span())
                     : answer(std::get<LinearLayer>(own.method), matrix, u.span());
    if (!done) return named(entry, done.error());
    SD_TRY(sink(own.index, LinearMaterial<R>{std::move(u)}));
  }
  return {};
}

template <RingWord R>
Expected<void> ClientLinear<R>::run(const OfflineJob &job, MaskWalk<R> &walk, std::vector<ReceiverSeeds<R>> seeds,
                                    const std::function<Expected<void>(std::size_t, SecretVector<R>)> &products) {
  if (entries_.empty()) entries_ = linearEntries(job.program, job.plan);
  if (!rlwe_ && any<LinearLayer>(entries_)) {
    SD_ASSIGN(rlwe_, LinearHospital<R>::setUp(channel_, seed_));
  }
  if (!dots_ && any<DotPacking>(entries_)) {
    SD_ASSIGN(dots_, DotHospital<R>::setUp(channel_, dotSeed(seed_)));
  }
  ThreadPool single(1);
  ThreadPool &threads = job.pool ? *job.pool : single;
  SharedWalk<R> shared(walk);
  Expected<void> collected;
  std::thread collector([&] {
    collected = guarded([&]() -> Expected<void> {
      for (const LinearEntry &own : entries_) {
        SecretVector<R> v(job.plan.entries[own.index].elements);
        if (const auto *dot = std::get_if<DotPacking>(&own.method)) {
          SD_TRY(dots_->collect(*dot, v.span(), threads));
          SD_TRY(products(own.index, std::move(v)));
          continue;
        }
        if (const auto *taps = std::get_if<LinearTaps>(&own.method)) {
          SD_ASSIGN(const ReceiverSeeds<R> said, shared.waitForSaid());
          SD_TRY(collectTransfers<R>(channel_, *taps, said, v.span()));
        } else {
          SD_TRY(rlwe_->collect(std::get<LinearLayer>(own.method), v.span(), threads));
        }
        SD_TRY(shared.announce(own.index, v.span()));
      }
      return {};
    });
    if (!collected) shared.stop(collected.error());
  });
  const auto uploaded = guarded([&]() -> Expected<void> {
    auto nextSeeds = seeds.begin();
    for (const LinearEntry &own : entries_) {
      SD_ASSIGN(const SecretVector<R> r, shared.waitForOperand(own.index, 0));
      if (const auto *dot = std::get_if<DotPacking>(&own.method)) {
        SD_ASSIGN(const SecretVector<R> s, shared.waitForOperand(own.index, 1));
        SD_TRY(dots_->upload(*dot, r.span(), s.span(), threads));
        continue;
      }
      if (const auto *layer = std::get_if<LinearLayer>(&own.method)) {
        SD_TRY(rlwe_->upload(*layer, r.span(), threads));
        continue;
      }
      SD_TRY(sendTransferChoices<R>(channel_, r.span(), *nextSeeds));
      shared.said(std::move(*nextSeeds++));
    }
    return {};
  });
  if (!uploaded) shared.stop(uploaded.error());
  collector.join(); // ends by itself when the connection does
  SD_TRY(collected);
  return uploaded;
}

template class ServiceLinear<Ring32>;
template class ServiceLinear<Ring64>;
template class ClientLinear<Ring32>;
template class ClientLinear<Ring64>;

} // namespace sd

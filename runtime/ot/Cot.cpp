#include "runtime/ot/Cot.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "runtime/ot/BaseOt.h"
#include "runtime/ot/CorrelatedTree.h"
#include "runtime/ot/LocalCode.h"
#include "runtime/ot/OtTags.h"
#include "runtime/ot/SessionKeys.h"

namespace sd {
namespace {

// The code reads its table at random: large pages spare it most address translations. A hint, so failure is fine.
void preferLargePages([[maybe_unused]] SecretVector<Block> &table) {
#if defined(__linux__)
  constexpr std::uintptr_t kPage = std::uintptr_t{2} << 20;
  const auto begin = (reinterpret_cast<std::uintptr_t>(table.data()) + kPage - 1) & ~(kPage - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(table.data() + table.size()) & ~(kPage - 1);
  if (begin < end) madvise(reinterpret_cast<void *>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

std::span<std::uint8_t> bytesOf(std::span<Block> blocks) {
  return {reinterpret_cast<std::uint8_t *>(blocks.data()), blocks.size_bytes()};
}

// Calls work(first, last) for ranges that cover [0, count).
template <class Work>
void forRanges(ThreadPool *pool, std::size_t count, const Work &work) {
  if (pool == nullptr) return work(std::size_t{0}, count);
  pool->parallelRanges(static_cast<std::int64_t>(count), 1, [&](std::int64_t first, std::int64_t last) {
    work(static_cast<std::size_t>(first), static_cast<std::size_t>(last));
  });
}

// Calls work(tree, key) for each tree of a batch.
template <class Work>
void forTrees(const AesKey &source, std::uint64_t firstTree, std::size_t count, ThreadPool *pool, const Work &work) {
  forRanges(pool, count, [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i) {
      Block key;
      aesKernels().counter(source, firstTree + i, &key, 1);
      work(i, AesKey(key));
    }
  });
}

Block drawDelta(Prg &prg) {
  Block delta = prg.next<Block>();
  delta.lo |= 1;
  return delta;
}

std::uint8_t bitOf(Block block, int i) {
  return static_cast<std::uint8_t>((i < 64 ? block.lo >> i : block.hi >> (i - 64)) & 1);
}

} // namespace

CotStream::CotStream(Channel &channel, Prg prg, Block session, ThreadPool *pool)
    : channel_(channel), prg_(std::move(prg)), session_(session), threads_(pool),
      trees_(sessionKey(session, KeyUse::CorrelatedTrees)), code_(sessionKey(session, KeyUse::CodeRows)) {}

void CotStream::reserve(std::uint64_t n) {
  if (n <= state_.buffered) return;
  CotPlan plan = planCots(state_, n - state_.buffered);
  steps_.insert(steps_.end(), plan.steps.begin(), plan.steps.end());
  state_ = {plan.after.set, plan.after.freeTrees, n + plan.after.buffered};
}

CotCost CotStream::costOfNext(std::uint64_t n) const {
  return n <= state_.buffered ? CotCost{} : costOf(planCots(state_, n - state_.buffered));
}

Expected<void> CotStream::extend(std::span<Block> out) {
  reserve(out.size());
  state_.buffered -= out.size();
  while (!out.empty()) {
    if (taken_ < filled_) {
      const std::size_t n = std::min(out.size(), filled_ - taken_);
      std::memcpy(out.data(), buffer_.data() + taken_, n * sizeof(Block));
      taken_ += n;
      out = out.subspan(n);
      continue;
    }
    assert(!steps_.empty());
    if (steps_.front().forTable) {
      SD_TRY(runForTable(steps_.front()));
      steps_.erase(steps_.begin());
      continue;
    }
    const std::size_t batch = batchSize();
    if (batch <= out.size()) {
      SD_TRY(runBatch(out.first(batch)));
      out = out.subspan(batch);
    } else {
      buffer_.resize(batch);
      SD_TRY(runBatch(buffer_.span()));
      taken_ = 0;
      filled_ = batch;
    }
  }
  return {};
}

Expected<void> CotStream::makeAhead() {
  while (!steps_.empty()) {
    const CotStep &step = steps_.front();
    if (step.kind != CotStep::SoftSpoken && step.kind != CotStep::Load) break;
    if (step.forTable) {
      SD_TRY(runForTable(step));
      steps_.erase(steps_.begin());
      continue;
    }
    SecretVector<Block> more(filled_ - taken_ + step.count);
    std::copy_n(buffer_.data() + taken_, filled_ - taken_, more.data());
    std::span<Block> out = more.span().subspan(filled_ - taken_);
    while (!out.empty()) {
      const std::size_t batch = batchSize();
      SD_TRY(runBatch(out.first(batch)));
      out = out.subspan(batch);
    }
    buffer_ = std::move(more);
    taken_ = 0;
    filled_ = buffer_.size();
  }
  return {};
}

std::uint64_t CotStream::batchSize() const {
  const CotStep &step = steps_.front();
  if (step.kind == CotStep::SoftSpoken) return std::min<std::uint64_t>(step.count, kSoftSpokenBatch);
  const LpnParameters &set = kLpnSets[step.set];
  return std::min(step.count, treesPerMessage(set)) << set.depth;
}

// Makes one batch of the first step.
Expected<void> CotStream::runBatch(std::span<Block> out) {
  CotStep &step = steps_.front();
  if (step.kind == CotStep::SoftSpoken) {
    SD_TRY(softSpoken(out));
    step.count -= out.size();
  } else {
    assert(step.set == set_);
    SD_TRY(produce(out));
    step.count -= out.size() >> kLpnSets[step.set].depth;
  }
  if (step.count == 0) steps_.erase(steps_.begin());
  return {};
}

// A step whose OTs are not for the caller, as a whole.
Expected<void> CotStream::runForTable(const CotStep &step) {
  if (step.kind == CotStep::Load) {
    assert(gatheredCount_ >= step.count);
    load(step.set, gathered_.span().first(step.count));
    gathered_ = {};
    gatheredCount_ = 0;
    return {};
  }
  if (step.kind == CotStep::SoftSpoken) {
    gathered_.resize(gatheredCount_ + step.count);
    SD_TRY(softSpoken(gathered_.span().subspan(gatheredCount_, step.count)));
    gatheredCount_ += step.count;
    return {};
  }
  const LpnParameters &set = kLpnSets[step.set];
  SecretVector<Block> refill;
  std::span<Block> out;
  if (step.kind == CotStep::Refill) {
    refill.resize(step.count << set.depth);
    preferLargePages(refill);
    out = refill.span();
  } else {
    gathered_.resize(gatheredCount_ + (step.count << set.depth));
    out = gathered_.span().subspan(gatheredCount_);
    gatheredCount_ = gathered_.size();
  }
  while (!out.empty()) {
    const std::size_t batch = std::min<std::size_t>(out.size(), treesPerMessage(set) << set.depth);
    SD_TRY(produce(out.first(batch)));
    out = out.subspan(batch);
  }
  if (step.kind == CotStep::Refill) load(step.set, refill.span().first(set.inputs()));
  return {};
}

void CotStream::load(int set, std::span<const Block> inputs) {
  table_ = {};
  table_.resize(inputs.size());
  preferLargePages(table_);
  std::memcpy(table_.data(), inputs.data(), inputs.size_bytes());
  set_ = set;
  tree_ = 0;
}

// The OTs of the next trees of the run: A s + e, one message's worth at most.
Expected<void> CotStream::produce(std::span<Block> out) {
  const LpnParameters &set = kLpnSets[set_];
  const std::size_t count = out.size() >> set.depth;
  assert(tree_ + count <= static_cast<std::uint64_t>(set.trees));
  SD_TRY(noise(set, table_.span().subspan(set.secretLength() + tree_ * set.depth, count * set.depth), out));
  forRanges(threads_, out.size() / 512, [&](std::size_t first, std::size_t last) {
    addCodeRows(code_, nextRow_ + 512 * first, table_.data(), set.logSecret,
                out.subspan(512 * first, 512 * (last - first)));
  });
  nextRow_ += out.size();
  nextTree_ += count;
  tree_ += count;
  return {};
}

CotSender::CotSender(Channel &channel, Prg prg, Block session, Block delta, SoftSpokenSender base, ThreadPool *pool)
    : CotStream(channel, std::move(prg), session, pool), delta_(delta), base_(std::move(base)) {}

CotSender::~CotSender() { OPENSSL_cleanse(&delta_, sizeof delta_); }

Expected<std::unique_ptr<CotSender>> CotSender::create(Channel &channel, Prg prg, ThreadPool *pool) {
  const Block delta = drawDelta(prg);
  SecretVector<std::uint8_t> choices(kBaseTransfers);
  SecretVector<Block> chosen(kBaseTransfers);
  for (int i = 0; i < kBaseTransfers; ++i)
    choices[i] = bitOf(delta, i);
  SD_ASSIGN(const Block session, receiveBaseOts(channel, prg, choices.span(), chosen.span()));
  SD_ASSIGN(SoftSpokenSender base, SoftSpokenSender::create(channel, session, delta, chosen.span()));
  return std::unique_ptr<CotSender>(new CotSender(channel, std::move(prg), session, delta, std::move(base), pool));
}

Expected<std::unique_ptr<CotReceiver>> CotReceiver::create(Channel &channel, Prg prg, ThreadPool *pool) {
  SecretVector<Block> zero(kBaseTransfers), one(kBaseTransfers);
  SD_ASSIGN(const Block session, sendBaseOts(channel, prg, zero.span(), one.span()));
  SD_ASSIGN(SoftSpokenReceiver base, SoftSpokenReceiver::create(channel, prg, session, zero.span(), one.span()));
  return std::unique_ptr<CotReceiver>(new CotReceiver(channel, std::move(prg), session, std::move(base), pool));
}

// The opposite direction's random choices become this direction's Delta through 128 public flips.
Expected<std::unique_ptr<CotSender>> CotSender::createReverse(Channel &channel, Prg prg, CotReceiver &opposite,
                                                              ThreadPool *pool) {
  const Block delta = drawDelta(prg);
  SecretVector<Block> chosen(kBaseTransfers);
  SD_TRY(opposite.extend(chosen.span()));
  Block flips;
  for (int i = 0; i < kBaseTransfers; ++i) {
    const std::uint64_t flip = (chosen[i].lo ^ bitOf(delta, i)) & 1;
    (i < 64 ? flips.lo : flips.hi) |= flip << (i % 64);
  }
  const AesKey key = sessionKey(opposite.session(), KeyUse::Reverse);
  aesKernels().hash(key, Block{}, chosen.data(), chosen.data(), kBaseTransfers);
  SD_TRY(channel.send(tag::kReverseChoice, bytesOf({&flips, 1})));
  const Block session = sessionBlock(opposite.session(), KeyUse::Reverse);
  SD_ASSIGN(SoftSpokenSender base, SoftSpokenSender::create(channel, session, delta, chosen.span()));
  return std::unique_ptr<CotSender>(new CotSender(channel, std::move(prg), session, delta, std::move(base), pool));
}

Expected<std::unique_ptr<CotReceiver>> CotReceiver::createReverse(Channel &channel, Prg prg, CotSender &opposite,
                                                                  ThreadPool *pool) {
  SecretVector<Block> zero(kBaseTransfers), one(kBaseTransfers);
  SD_TRY(opposite.extend(zero.span()));
  const AesKey key = sessionKey(opposite.session(), KeyUse::Reverse);
  aesKernels().hash(key, opposite.delta(), zero.data(), one.data(), kBaseTransfers);
  aesKernels().hash(key, Block{}, zero.data(), zero.data(), kBaseTransfers);
  Block flips;
  SD_TRY(channel.receive(tag::kReverseChoice, bytesOf({&flips, 1})));
  for (int i = 0; i < kBaseTransfers; ++i) {
    const Block swap = (zero[i] ^ one[i]) & Block::mask(bitOf(flips, i));
    zero[i] ^= swap;
    one[i] ^= swap;
  }
  const Block session = sessionBlock(opposite.session(), KeyUse::Reverse);
  SD_ASSIGN(SoftSpokenReceiver base, SoftSpokenReceiver::create(channel, prg, session, zero.span(), one.span()));
  return std::unique_ptr<CotReceiver>(new CotReceiver(channel, std::move(prg), session, std::move(base), pool));
}

CotReceiver::CotReceiver(Channel &channel, Prg prg, Block session, SoftSpokenReceiver base, ThreadPool *pool)
    : CotStream(channel, std::move(prg), session, pool), base_(std::move(base)) {}

Expected<void> CotSender::softSpoken(std::span<Block> out) { return base_.extend(channel_, out); }
Expected<void> CotReceiver::softSpoken(std::span<Block> out) { return base_.extend(channel_, out); }

Expected<void> CotSender::noise(const LpnParameters &set, std::span<const Block> inputs, std::span<Block> out) {
  const std::size_t depth = set.depth, count = inputs.size() / depth;
  SecretVector<Block> roots(count);
  prg_.fill(roots.span());
  std::vector<Block> sums(inputs.size());
  forTrees(trees_, nextTree_, count, threads_, [&](std::size_t i, const AesKey &key) {
    const auto own = std::span(sums).subspan(i * depth, depth);
    growTree(key, roots[i], delta_, out.subspan(i << depth, set.leaves()), own);
    for (std::size_t level = 0; level < depth; ++level)
      own[level] ^= inputs[i * depth + level];
  });
  return channel_.send(tag::kTreeLevels, bytesOf(sums));
}

Expected<void> CotReceiver::noise(const LpnParameters &set, std::span<const Block> inputs, std::span<Block> out) {
  const std::size_t depth = set.depth, count = inputs.size() / depth;
  SecretVector<Block> sums(inputs.size());
  SD_TRY(channel_.receive(tag::kTreeLevels, bytesOf(sums.span())));
  SecretVector<std::uint8_t> choices(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    choices[i] = inputs[i].lo & 1;
    sums[i] ^= inputs[i];
  }
  forTrees(trees_, nextTree_, count, threads_, [&](std::size_t i, const AesKey &key) {
    openTree(key, choices.span().subspan(i * depth, depth), sums.span().subspan(i * depth, depth),
             out.subspan(i << depth, set.leaves()));
  });
  return {};
}

} // namespace sd

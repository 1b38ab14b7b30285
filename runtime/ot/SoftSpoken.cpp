#include "runtime/ot/SoftSpoken.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "runtime/ot/BitMatrix.h"
#include "runtime/ot/LpnParameters.h"
#include "runtime/ot/OtTags.h"
#include "runtime/ot/SessionKeys.h"

namespace sd {
namespace {

constexpr std::size_t kLeaves = std::size_t{1} << kSubspaceBits;
constexpr std::size_t kUnitBlocks = kSoftSpokenUnit / 128;
constexpr std::size_t kUnitBytes = kSoftSpokenUnit / 8;
constexpr std::size_t kCorrections = kSubspaceTrees - 1; // of every tree but the first

using Unit = std::array<Block, kUnitBlocks>; // one bit of each transfer of a unit

std::uint64_t bitOf(Block block, int i) { return (i < 64 ? block.lo >> i : block.hi >> (i - 64)) & 1; }

Unit &operator^=(Unit &a, const Unit &b) {
  for (std::size_t i = 0; i < kUnitBlocks; ++i)
    a[i] ^= b[i];
  return a;
}

Unit operator&(Unit a, Block mask) {
  for (Block &block : a)
    block = block & mask;
  return a;
}

// `count` keys of a stream of keys, from number `count` * `index` on.
template <std::size_t kCount>
std::array<AesKey, kCount> keysOf(const AesKey &source, std::uint64_t index) {
  std::array<Block, kCount> keys;
  aesKernels().counter(source, kCount * index, keys.data(), kCount);
  return [&]<std::size_t... i>(std::index_sequence<i...>) { return std::array<AesKey, kCount>{AesKey(keys[i])...}; }
  (std::make_index_sequence<kCount>{});
}

// One tree's own: a key hashes the inner nodes of one tree.
struct TreeKeys {
  TreeKeys(const AesKey &source, int tree) : keys(keysOf<2>(source, static_cast<std::uint64_t>(tree))) {}
  std::array<AesKey, 2> keys; // of left and right children
};

// nodes[0, n) to nodes[0, 2n): the left children stay in place, the right ones go n further, so that the choice at
// level l is bit l of a leaf's number.
void expand(const TreeKeys &keys, Block *nodes, std::size_t n) {
  const AesKernels &aes = aesKernels();
  aes.hash(keys.keys[1], Block{}, nodes, nodes + n, n);
  aes.hash(keys.keys[0], Block{}, nodes, nodes, n);
}

Block sum(const Block *nodes, std::size_t n) {
  Block total;
  for (std::size_t i = 0; i < n; ++i)
    total ^= nodes[i];
  return total;
}

// The sender's view of a tree: all leaves but leaf `delta`, put at (number ^ delta), the missing one (now the first)
// zero. Addresses don't depend on delta.
void openTree(const TreeKeys &keys, unsigned delta, const Block *sideSums, Block *nodes) {
  nodes[0] = Block{};
  for (int level = 0; level < kSubspaceBits; ++level) {
    const std::size_t n = std::size_t{1} << level;
    expand(keys, nodes, n);
    // Numbers relative to delta: the unknown node is number 0, its children are junk, and the sibling to find is number
    // n.
    for (std::size_t i = 0; i < n; ++i) {
      const Block swap = (nodes[i] ^ nodes[i + n]) & Block::mask(delta >> level & 1);
      nodes[i] ^= swap;
      nodes[i + n] ^= swap;
    }
    nodes[0] = Block{};
    nodes[n] = Block{};
    nodes[n] = sideSums[level] ^ sum(nodes + n, n);
  }
}

// The columns of one unit and one tree: columns[b] = XOR of the stretched leaves with bit b set. Returns the XOR of all
// leaves.
Unit foldLeaves(std::array<Unit, kLeaves> &leaves, Unit *columns) {
  for (int b = kSubspaceBits - 1; b >= 0; --b) {
    const std::size_t half = std::size_t{1} << b;
    Unit column{};
    for (std::size_t i = 0; i < half; ++i) {
      column ^= leaves[i + half];
      leaves[i] ^= leaves[i + half];
    }
    columns[b] = column;
  }
  return leaves[0];
}

// Stretches the leaves of one tree for one unit, under keys of their own.
void stretchTree(const AesKey &source, std::uint64_t unit, int tree, const Block *leaves,
                 std::array<Unit, kLeaves> &out) {
  const auto keys = keysOf<kUnitBlocks>(source, kSubspaceTrees * unit + static_cast<std::uint64_t>(tree));
  aesKernels().stretch(keys.data(), leaves, out[0].data(), kLeaves);
}

struct Workspace {
  std::array<Unit, kLeaves> leaves;
  std::array<Unit, kBaseTransfers> columns;
  ~Workspace() { OPENSSL_cleanse(this, sizeof *this); }
};

const std::uint64_t *words(const std::array<Unit, kBaseTransfers> &columns) { return &columns[0][0].lo; }

} // namespace

std::uint64_t softSpokenSetupBytes() { return 2 * kBaseTransfers * sizeof(Block); }
std::uint64_t softSpokenBytes(std::uint64_t n) { return n / 8 * kCorrections; }
std::uint64_t softSpokenMessages(std::uint64_t n) { return (n + kSoftSpokenBatch - 1) / kSoftSpokenBatch; }

Expected<SoftSpokenReceiver> SoftSpokenReceiver::create(Channel &channel, Prg &prg, Block session,
                                                        std::span<const Block> zero, std::span<const Block> one) {
  assert(zero.size() == kBaseTransfers && one.size() == kBaseTransfers);
  SoftSpokenReceiver receiver(sessionBlock(session, KeyUse::SubspaceUnits));
  const AesKey treeKeys = sessionKey(session, KeyUse::SubspaceTrees);
  receiver.leaves_.resize(kSubspaceTrees * kLeaves);
  std::vector<Block> message(2 * kBaseTransfers);
  for (int tree = 0; tree < kSubspaceTrees; ++tree) {
    Block *nodes = receiver.leaves_.data() + tree * kLeaves;
    const TreeKeys keys(treeKeys, tree);
    nodes[0] = prg.next<Block>();
    for (int level = 0; level < kSubspaceBits; ++level) {
      const std::size_t n = std::size_t{1} << level, i = tree * kSubspaceBits + level;
      expand(keys, nodes, n);
      // Delta's bit 0 leads to the left child: the peer then gets the sum of the right ones.
      message[2 * i] = zero[i] ^ sum(nodes + n, n);
      message[2 * i + 1] = one[i] ^ sum(nodes, n);
    }
  }
  SD_TRY(
      channel.send(tag::kTreeSums, {reinterpret_cast<const std::uint8_t *>(message.data()), softSpokenSetupBytes()}));
  return receiver;
}

Expected<SoftSpokenSender> SoftSpokenSender::create(Channel &channel, Block session, Block delta,
                                                    std::span<const Block> chosen) {
  assert(chosen.size() == kBaseTransfers && (delta.lo & 1) == 1);
  std::vector<Block> message(2 * kBaseTransfers);
  SD_TRY(channel.receive(tag::kTreeSums, {reinterpret_cast<std::uint8_t *>(message.data()), softSpokenSetupBytes()}));
  SoftSpokenSender sender(sessionBlock(session, KeyUse::SubspaceUnits));
  const AesKey treeKeys = sessionKey(session, KeyUse::SubspaceTrees);
  sender.delta_ = SecretVector<Block>(1, delta);
  sender.leaves_.resize(kSubspaceTrees * kLeaves);
  for (int tree = 0; tree < kSubspaceTrees; ++tree) {
    std::array<Block, kSubspaceBits> sums;
    unsigned bits = 0;
    for (int level = 0; level < kSubspaceBits; ++level) {
      const int i = tree * kSubspaceBits + level;
      const std::uint64_t bit = bitOf(delta, i);
      bits |= static_cast<unsigned>(bit) << level;
      sums[level] = chosen[i] ^ message[2 * i] ^ ((message[2 * i] ^ message[2 * i + 1]) & Block::mask(bit));
    }
    openTree(TreeKeys(treeKeys, tree), bits, sums.data(), sender.leaves_.data() + tree * kLeaves);
  }
  return sender;
}

Expected<void> SoftSpokenReceiver::extend(Channel &channel, std::span<Block> t) {
  assert(t.size() % kSoftSpokenUnit == 0);
  auto work = std::make_unique<Workspace>();
  std::vector<Unit> message;
  for (std::size_t at = 0; at < t.size(); at += kSoftSpokenUnit) {
    const std::uint64_t unit = next_++;
    Unit choices{};
    for (int tree = 0; tree < kSubspaceTrees; ++tree) {
      stretchTree(session_, unit, tree, leaves_.data() + tree * kLeaves, work->leaves);
      Unit all = foldLeaves(work->leaves, work->columns.data() + tree * kSubspaceBits);
      if (tree == 0) {
        choices = all;
      } else {
        all ^= choices;
        message.push_back(all);
      }
    }
    // Delta's lowest bit is 1: with the choices as the lowest column, the sender's is zero.
    work->columns[0] = choices;
    transposeToRows(words(work->columns), 2 * kUnitBlocks, t.subspan(at, kSoftSpokenUnit));
    if (message.size() == kSoftSpokenBatch / kSoftSpokenUnit * kCorrections || at + kSoftSpokenUnit == t.size()) {
      SD_TRY(channel.send(tag::kSubspace,
                          {reinterpret_cast<const std::uint8_t *>(message.data()), message.size() * kUnitBytes}));
      message.clear();
    }
  }
  return {};
}

Expected<void> SoftSpokenSender::extend(Channel &channel, std::span<Block> q) {
  assert(q.size() % kSoftSpokenUnit == 0);
  auto work = std::make_unique<Workspace>();
  for (std::size_t start = 0; start < q.size(); start += kSoftSpokenBatch) {
    const std::size_t size = std::min(kSoftSpokenBatch, q.size() - start);
    std::vector<Unit> message(size / kSoftSpokenUnit * kCorrections);
    SD_TRY(channel.receive(tag::kSubspace,
                           {reinterpret_cast<std::uint8_t *>(message.data()), message.size() * kUnitBytes}));
    const Unit *correction = message.data();
    for (std::size_t at = start; at < start + size; at += kSoftSpokenUnit) {
      const std::uint64_t unit = next_++;
      for (int tree = 0; tree < kSubspaceTrees; ++tree) {
        Unit *columns = work->columns.data() + tree * kSubspaceBits;
        stretchTree(session_, unit, tree, leaves_.data() + tree * kLeaves, work->leaves);
        foldLeaves(work->leaves, columns);
        if (tree == 0) continue;
        for (int b = 0; b < kSubspaceBits; ++b)
          columns[b] ^= *correction & Block::mask(bitOf(delta_[0], tree * kSubspaceBits + b));
        ++correction;
      }
      work->columns[0] = Unit{};
      transposeToRows(words(work->columns), 2 * kUnitBlocks, q.subspan(at, kSoftSpokenUnit));
    }
  }
  return {};
}

} // namespace sd

#include "runtime/offline/TwoPartyTile.h"

namespace sd {
namespace {

PadPlanes from(SecretPlanes &planes, int first) { return {planes[first], planes.stride()}; }

// Which pads of a tile's words.
enum WordPad : std::size_t { kSelectPad, kWrapPad, kWrapLPad, kWrapBPad, kCarryPad, kWordPads };

template <RingWord R>
R bitAt(const std::uint64_t *plane, std::size_t i) {
  return static_cast<R>(plane[i / 64] >> (i % 64) & 1);
}

// out[i] = pad + choice * correction.
template <RingWord R>
void addCorrections(std::span<const R> pads, const std::uint64_t *choices, const SecretVector<R> &corrections,
                    std::span<R> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = pads[i] + ((R{0} - bitAt<R>(choices, i)) & corrections[i]);
}

} // namespace

template <RingWord R>
Expected<void> ServiceTile<R>::gather(PadReceiver &ots, PadSender *reverse, Prg &random) {
  const std::size_t n = tile_.count;
  if (auto *m = std::get_if<CompareService<R>>(&material_)) {
    SD_TRY(gatherTree(*m, ots, random));
    return gatherWords(*m, ots, reverse);
  }
  auto &m = std::get<ProductService<R>>(material_);
  constexpr int kBits = kBitsOf<R>;
  pads_.resize(2 * kBits * n);
  std::array<std::uint64_t, kPadTile / 64> choices;
  for (int k = 0; k < 2 * kBits; ++k) {
    SD_TRY(ringPads(ots, choices.data(), pads_.span().subspan(k * n, n)));
    auto factor = (k < kBits ? m.alpha : m.beta).span().subspan(tile_.first, n);
    for (std::size_t i = 0; i < n; ++i)
      factor[i] = (k % kBits ? factor[i] : 0) | bitAt<R>(choices.data(), i) << (k % kBits);
  }
  OPENSSL_cleanse(choices.data(), sizeof choices);
  return {};
}

template <RingWord R>
Expected<void> ServiceTile<R>::gatherTree(CompareService<R> &m, PadReceiver &ots, Prg &random) {
  const std::size_t n = tile_.count;
  int tablePlanes = 0;
  for (const auto &digit : layout_.tree.digits)
    tablePlanes += digit.payloadPlanes();
  tablePads_ = SecretPlanes(n, tablePlanes);
  int plane = 0;
  for (const auto &digit : layout_.tree.digits)
    for (int i = 0; i < digit.bits; ++i) {
      const int width = digit.tables() << (digit.bits - 1);
      SD_TRY(ots.planes(n, width, m.c[digit.firstBit + i] + word(), from(tablePads_, plane)));
      plane += width;
    }
  int wire = 0;
  for (const ProductLayout &level : layout_.levels) {
    ProductPads &own = levels_.emplace_back(ProductPads{SecretPlanes(n, static_cast<int>(level.choices.size())),
                                                        SecretPlanes(n, level.planes),
                                                        {},
                                                        SecretPlanes(n, level.nodes)});
    for (int w = 0; w < level.wires; ++w)
      random.fill(std::span(own.nodes[w], words()));
    for (std::size_t k = 0; k < level.choices.size(); ++k) {
      const auto &choice = level.choices[k];
      std::uint64_t *bits = own.choices[static_cast<int>(k)];
      SD_TRY(ots.planes(n, choice.width, bits, from(own.pads, choice.firstPlane)));
      if (choice.node < level.wires) std::copy_n(bits, words(), own.nodes[choice.node]);
    }
    for (int w = 0; w < level.wires; ++w)
      std::copy_n(own.nodes[w], words(), m.masks[wire + w] + word());
    wire += level.wires;
  }
  return {};
}

template <RingWord R>
Expected<void> ServiceTile<R>::gatherWords(CompareService<R> &m, PadReceiver &ots, PadSender *reverse) {
  const std::size_t n = tile_.count;
  const CompareShape &shape = layout_.shape;
  pads_.resize(kWordPads * n);
  const auto pads = [&](std::size_t k) { return pads_.span().subspan(k * n, n); };
  if (shape.selects) {
    // d = M1 - M0; M0 starts P0's share of the selection.
    PadPairs<R> messages(n);
    SD_TRY(ringPads(*reverse, messages));
    for (std::size_t i = 0; i < n; ++i) {
      m.d[tile_.first + i] = messages.one[i] - messages.zero[i];
      m.select[tile_.first + i] = messages.zero[i];
    }
    SD_TRY(ringPads(ots, m.ends[0] + word(), pads(kSelectPad)));
  }
  if (shape.truncation == 0) return {};
  if (shape.selects) {
    SD_TRY(ringPads(ots, m.wrapChoice[0] + word(), pads(kWrapPad), pads(kWrapLPad)));
    SD_TRY(ringPads(ots, m.wrapChoice[1] + word(), pads(kWrapBPad)));
  } else {
    SD_TRY(ringPads(ots, m.wrapChoice[0] + word(), pads(kWrapPad)));
  }
  return ringPads(ots, m.ends[shape.results() - 1] + word(), pads(kCarryPad));
}

template <RingWord R>
void ServiceTile<R>::apply(int stage, BitReader &in) {
  const std::size_t n = tile_.count;
  if (auto *m = std::get_if<CompareService<R>>(&material_)) {
    if (stage == 1) applyTables(*m, in);
    applyProducts(stage, in);
    if (stage == 1) applyWords(*m, in);
    // A window keeps all its tiles until the last stage: what only the first needed goes now.
    tablePads_ = {};
    pads_ = {};
    return;
  }
  if (stage > 1) return;
  SecretVector<R> corrections(n);
  // Bit k of the factor weighs 2^k: its OT carries as many bits less.
  auto &m = std::get<ProductService<R>>(material_);
  const auto product = m.product.span().subspan(tile_.first, n);
  std::fill(product.begin(), product.end(), 0);
  for (int j = 0; j < 2 * kBitsOf<R>; ++j) {
    const int k = j % kBitsOf<R>;
    const auto factor = (j < kBitsOf<R> ? m.alpha : m.beta).span().subspan(tile_.first, n);
    in.fields(corrections.span(), kBitsOf<R> - k);
    for (std::size_t i = 0; i < n; ++i) {
      const R chosen = (R{0} - (factor[i] >> k & 1)) & corrections[i];
      product[i] += (pads_[j * n + i] + chosen) << k;
    }
  }
  pads_ = {};
}

template <RingWord R>
void ServiceTile<R>::applyTables(CompareService<R> &m, BitReader &in) {
  SecretVector<std::uint64_t> correction(words());
  int pad = 0, first = 0;
  for (const auto &digit : layout_.tree.digits) {
    for (int i = 0; i < digit.bits; ++i) {
      const std::uint64_t *choice = m.c[digit.firstBit + i] + word();
      for (int e = 0; e < digit.tablePlanes(); ++e) {
        if (e >> i & 1) continue;
        in.plane(correction.data(), tile_.count);
        std::uint64_t *low = m.tables[first + e] + word(), *high = m.tables[first + (e | 1 << i)] + word();
        const std::uint64_t *mask = tablePads_[pad++];
        for (std::size_t w = 0; w < words(); ++w) {
          const std::uint64_t share = mask[w] ^ (choice[w] & correction[w]);
          const std::uint64_t swap = (low[w] ^ high[w]) & choice[w];
          low[w] ^= swap ^ share;
          high[w] ^= swap ^ share;
        }
      }
    }
    first += digit.tablePlanes();
  }
}

template <RingWord R>
void ServiceTile<R>::applyProducts(int stage, BitReader &in) {
  SecretVector<std::uint64_t> forA(words()), forB(words());
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    ProductPads &own = levels_[l];
    for (const auto &step : layout_.levels[l].steps) {
      if (step.stage != stage) continue;
      in.plane(forA.data(), tile_.count);
      in.plane(forB.data(), tile_.count);
      const std::uint64_t *a = own.nodes[step.a], *b = own.nodes[step.b];
      const std::uint64_t *aPad = own.pads[step.aPlane], *bPad = own.pads[step.bPlane];
      std::uint64_t *out = own.nodes[step.result];
      for (std::size_t w = 0; w < words(); ++w)
        out[w] = (a[w] & b[w]) ^ aPad[w] ^ (a[w] & forA[w]) ^ bPad[w] ^ (b[w] & forB[w]);
    }
  }
}

template <RingWord R>
void ServiceTile<R>::applyWords(CompareService<R> &m, BitReader &in) {
  const std::size_t n = tile_.count;
  const CompareShape &shape = layout_.shape;
  const int t = shape.truncation;
  SecretVector<R> corrections(n);
  const auto field = [&](WordPad pad, int bits, const std::uint64_t *choice, std::span<R> out) {
    in.fields(corrections.span(), bits);
    addCorrections<R>(std::span<const R>(pads_.span()).subspan(pad * n, n), choice + word(), corrections, out);
  };
  const auto part = [&](SecretVector<R> &whole) { return whole.span().subspan(tile_.first, n); };
  if (shape.selects) {
    SecretVector<R> share(n);
    field(kSelectPad, kBitsOf<R>, m.ends[0], share.span());
    for (std::size_t i = 0; i < n; ++i)
      m.select[tile_.first + i] += share[i];
  }
  if (t == 0) return;
  field(kWrapPad, t, m.wrapChoice[0], part(m.wrapA));
  if (shape.selects) {
    field(kWrapLPad, t, m.wrapChoice[0], part(m.wrapLA));
    field(kWrapBPad, t, m.wrapChoice[1], part(m.wrapB));
  }
  field(kCarryPad, kBitsOf<R>, m.ends[shape.results() - 1], part(m.carry));
}

template <RingWord R>
void ServiceTile<R>::choose(int stage, BitWriter &out) {
  SecretVector<std::uint64_t> flip(words());
  for (std::size_t l = 0; l < levels_.size(); ++l)
    for (std::size_t k = 0; k < layout_.levels[l].choices.size(); ++k) {
      const auto &choice = layout_.levels[l].choices[k];
      if (choice.stage != stage) continue;
      const std::uint64_t *own = levels_[l].choices[static_cast<int>(k)], *wanted = levels_[l].nodes[choice.node];
      for (std::size_t w = 0; w < words(); ++w)
        flip[w] = own[w] ^ wanted[w];
      out.plane(flip.data(), tile_.count);
    }
}

template <RingWord R>
void ServiceTile<R>::finish() {
  auto *m = std::get_if<CompareService<R>>(&material_);
  if (!m) return;
  int product = 0;
  for (std::size_t l = 0; l < levels_.size(); ++l)
    for (int node = layout_.levels[l].wires; node < layout_.levels[l].nodes; ++node)
      std::copy_n(levels_[l].nodes[node], words(), m->products[product++] + word());
}

template class ServiceTile<Ring32>;
template class ServiceTile<Ring64>;

} // namespace sd

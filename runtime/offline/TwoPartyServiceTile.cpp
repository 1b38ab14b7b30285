#include "runtime/offline/TwoPartyTile.h"

namespace sd {
namespace {

PadPlanes from(SecretPlanes &planes, int first) { return {planes[first], planes.stride()}; }

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
  if (auto *m = std::get_if<CompareService<R>>(&material_)) return gatherCompare(*m, ots, *reverse, random);
  if (auto *m = std::get_if<TruncateService<R>>(&material_)) {
    pads_.resize(n);
    return ringPads(ots, m->c[0] + word(), pads_.span());
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
Expected<void> ServiceTile<R>::gatherCompare(CompareService<R> &m, PadReceiver &ots, PadSender &reverse, Prg &random) {
  const std::size_t n = tile_.count;
  int tablePlanes = 0;
  for (const auto &digit : layout_.tree.digits)
    tablePlanes += digit.bits * digit.tables() << (digit.bits - 1);
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
  // d = M1 - M0; M0 starts P0's share of the selection.
  PadPairs<R> messages(n);
  SD_TRY(ringPads(reverse, messages));
  for (std::size_t i = 0; i < n; ++i) {
    m.d[tile_.first + i] = messages.one[i] - messages.zero[i];
    m.select[tile_.first + i] = messages.zero[i];
  }
  pads_.resize((layout_.truncation ? 4 : 1) * n);
  const auto pads = [&](std::size_t k) { return pads_.span().subspan(k * n, n); };
  SD_TRY(ringPads(ots, m.l[0] + word(), pads(0)));
  if (layout_.truncation == 0) return {};
  SD_TRY(ringPads(ots, m.wrapChoice[0] + word(), pads(1), pads(2)));
  return ringPads(ots, m.wrapChoice[1] + word(), pads(3));
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
  if (auto *m = std::get_if<TruncateService<R>>(&material_)) {
    in.fields(corrections.span(), layout_.truncation);
    addCorrections<R>(pads_.span(), m->c[0] + word(), corrections, m->wrap.span().subspan(tile_.first, n));
    return;
  }
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
  SecretVector<std::uint64_t> forRest(words()), forLast(words());
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    ProductPads &own = levels_[l];
    for (const auto &step : layout_.levels[l].steps) {
      if (step.stage != stage) continue;
      in.plane(forRest.data(), tile_.count);
      in.plane(forLast.data(), tile_.count);
      const std::uint64_t *rest = own.nodes[step.rest], *last = own.nodes[step.last];
      const std::uint64_t *restPad = own.pads[step.restPlane], *lastPad = own.pads[step.lastPlane];
      std::uint64_t *out = own.nodes[step.result];
      for (std::size_t w = 0; w < words(); ++w)
        out[w] = (rest[w] & last[w]) ^ restPad[w] ^ (rest[w] & forRest[w]) ^ lastPad[w] ^ (last[w] & forLast[w]);
    }
  }
}

template <RingWord R>
void ServiceTile<R>::applyWords(CompareService<R> &m, BitReader &in) {
  const std::size_t n = tile_.count;
  SecretVector<R> corrections(n), share(n);
  const auto pads = [&](std::size_t k) { return std::span<const R>(pads_.span()).subspan(k * n, n); };
  in.fields(corrections.span(), kBitsOf<R>);
  addCorrections<R>(pads(0), m.l[0] + word(), corrections, share.span());
  for (std::size_t i = 0; i < n; ++i)
    m.select[tile_.first + i] += share[i];
  const int t = layout_.truncation;
  if (t == 0) return;
  const auto field = [&](std::size_t k, int choice, SecretVector<R> &out) {
    in.fields(corrections.span(), t);
    addCorrections<R>(pads(k), m.wrapChoice[choice] + word(), corrections, out.span().subspan(tile_.first, n));
  };
  field(1, 0, m.wrapA);
  field(2, 0, m.wrapLA);
  field(3, 1, m.wrapB);
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

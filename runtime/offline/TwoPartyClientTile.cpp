#include "runtime/offline/TwoPartyTile.h"

namespace sd {
namespace {

PadPlanes from(SecretPlanes &planes, int first) { return {planes[first], planes.stride()}; }

template <RingWord R>
R bitAt(const std::uint64_t *plane, std::size_t i) {
  return static_cast<R>(plane[i / 64] >> (i % 64) & 1);
}

// Correlated OT on words: the peer gets zero + choice delta; writes `bits` of each correction, and leaves -zero, this
// side's share of choice * delta, in `share`.
template <RingWord R>
void correlate(const PadPairs<R> &pads, int bits, const SecretVector<R> &delta, std::span<R> share, BitWriter &out) {
  SecretVector<R> corrections(delta.size());
  for (std::size_t i = 0; i < delta.size(); ++i) {
    corrections[i] = pads.zero[i] + delta[i] - pads.one[i];
    share[i] = R{0} - pads.zero[i];
  }
  out.fields(corrections.span(), bits);
}

} // namespace

template <RingWord R>
Expected<void> ClientTile<R>::begin(PadSender &ots, PadReceiver *reverse, BitWriter &out) {
  if (auto *m = std::get_if<ProductClient<R>>(&material_)) return beginProduct(*m, ots, out);
  auto &m = std::get<CompareClient<R>>(material_);
  SD_TRY(beginTree(m, ots, out));
  if (layout_.shape.selects) SD_TRY(sendSelection(m, ots, *reverse, out));
  if (layout_.shape.truncation == 0) return {};
  return sendTruncation(m, ots, out);
}

template <RingWord R>
Expected<void> ClientTile<R>::beginProduct(ProductClient<R> &m, PadSender &ots, BitWriter &out) {
  const std::size_t n = tile_.count;
  PadPairs<R> pads(n);
  SecretVector<R> factor(n), share(n);
  const auto product = m.product.span().subspan(tile_.first, n);
  std::fill(product.begin(), product.end(), 0);
  for (const auto *of : {&m.s, &m.r}) {
    std::copy_n(of->data() + tile_.first, n, factor.data());
    for (int k = 0; k < kBitsOf<R>; ++k) {
      SD_TRY(ringPads(ots, pads));
      correlate(pads, kBitsOf<R> - k, factor, share.span(), out);
      for (std::size_t i = 0; i < n; ++i)
        product[i] += share[i] << k;
    }
  }
  return {};
}

template <RingWord R>
Expected<void> ClientTile<R>::beginTree(CompareClient<R> &m, PadSender &ots, BitWriter &out) {
  SD_TRY(maskTables(m, ots, out));
  const std::size_t n = tile_.count;
  int wire = 0;
  for (const ProductLayout &level : layout_.levels) {
    ProductPads &own = levels_.emplace_back(
        ProductPads{{}, SecretPlanes(n, level.planes), SecretPlanes(n, level.planes), SecretPlanes(n, level.nodes)});
    for (const auto &choice : level.choices)
      SD_TRY(ots.planes(n, choice.width, from(own.pads, choice.firstPlane), from(own.ones, choice.firstPlane)));
    for (int w = 0; w < level.wires; ++w)
      std::copy_n(m.masks[wire + w] + word(), words(), own.nodes[w]);
    wire += level.wires;
  }
  answer(1, out);
  return {};
}

// Turns the plain tables into this side's shares: each layer masks them.
template <RingWord R>
Expected<void> ClientTile<R>::maskTables(CompareClient<R> &m, PadSender &ots, BitWriter &out) {
  const std::size_t n = tile_.count;
  SecretPlanes zero(n, kMaxPadPlanes), one(n, kMaxPadPlanes);
  SecretVector<std::uint64_t> correction(words());
  int first = 0;
  for (const auto &digit : layout_.tree.digits) {
    const PlanesRef tables = m.tables.ref().from(first).at(word());
    for (int i = 0; i < digit.bits; ++i) {
      SD_TRY(ots.planes(n, digit.tables() << (digit.bits - 1), from(zero, 0), from(one, 0)));
      int pad = 0;
      for (int e = 0; e < digit.tablePlanes(); ++e) {
        if (e >> i & 1) continue;
        std::uint64_t *low = tables[e], *high = tables[e | 1 << i];
        const std::uint64_t *z = zero[pad], *o = one[pad];
        ++pad;
        for (std::size_t w = 0; w < words(); ++w) {
          correction[w] = low[w] ^ high[w] ^ z[w] ^ o[w];
          low[w] ^= z[w];
          high[w] ^= z[w];
        }
        out.plane(correction.data(), n);
      }
    }
    first += digit.tablePlanes();
  }
  return {};
}

template <RingWord R>
Expected<void> ClientTile<R>::sendSelection(CompareClient<R> &m, PadSender &ots, PadReceiver &reverse, BitWriter &out) {
  const std::size_t n = tile_.count;
  std::uint64_t *l = m.ends[0] + word();
  const auto select = m.select.span().subspan(tile_.first, n), r = m.r.span().subspan(tile_.first, n);
  SecretVector<R> delta(n), known(n); // known: l1 q1 - M_l1
  SD_TRY(ringPads(reverse, l, known.span()));
  for (std::size_t i = 0; i < n; ++i) {
    const R q = r[i] >> layout_.shape.truncation, chosen = (R{0} - bitAt<R>(l, i)) & q;
    known[i] = chosen - known[i];
    delta[i] = q - 2 * chosen;
  }
  PadPairs<R> pads(n);
  SD_TRY(ringPads(ots, pads));
  correlate(pads, kBitsOf<R>, delta, select, out);
  for (std::size_t i = 0; i < n; ++i)
    select[i] += known[i];
  return {};
}

// The wrap, and rho as a word: rho0 + rho1 - 2 rho0 rho1 = (zero + rho0 (1 - 2 rho1)) + (rho1 - zero).
template <RingWord R>
Expected<void> ClientTile<R>::sendTruncation(CompareClient<R> &m, PadSender &ots, BitWriter &out) {
  const std::size_t n = tile_.count;
  const CompareShape &shape = layout_.shape;
  PadPairs<R> pads(n), second(n);
  SecretVector<R> delta(n);
  const auto field = [&](int bits, SecretVector<R> &share) {
    correlate(pads, bits, delta, share.span().subspan(tile_.first, n), out);
  };
  SD_TRY(shape.selects ? ringPads(ots, pads, second) : ringPads(ots, pads));
  for (std::size_t i = 0; i < n; ++i)
    delta[i] = notTop(m.r[tile_.first + i]);
  field(shape.truncation, m.wrapA);
  if (shape.selects) {
    const std::uint64_t *l = m.ends[0] + word();
    for (std::size_t i = 0; i < n; ++i)
      delta[i] &= bitAt<R>(l, i);
    std::swap(pads, second);
    field(shape.truncation, m.wrapLA);
    SD_TRY(ringPads(ots, pads));
    for (std::size_t i = 0; i < n; ++i)
      delta[i] = notTop(m.r[tile_.first + i]) - 2 * delta[i];
    field(shape.truncation, m.wrapB);
  }
  SD_TRY(ringPads(ots, pads));
  const std::uint64_t *rho = m.ends[shape.results() - 1] + word();
  for (std::size_t i = 0; i < n; ++i)
    delta[i] = 1 - 2 * bitAt<R>(rho, i);
  field(kBitsOf<R>, m.carry);
  for (std::size_t i = 0; i < n; ++i)
    m.carry[tile_.first + i] += bitAt<R>(rho, i);
  return {};
}

template <RingWord R>
void ClientTile<R>::choose(int stage, BitReader &in) {
  SecretVector<std::uint64_t> flip(words());
  for (std::size_t l = 0; l < levels_.size(); ++l)
    for (const auto &choice : layout_.levels[l].choices) {
      if (choice.stage != stage) continue;
      in.plane(flip.data(), tile_.count);
      for (int k = 0; k < choice.width; ++k)
        swapPlanes(levels_[l].pads[choice.firstPlane + k], levels_[l].ones[choice.firstPlane + k], flip.data(),
                   words());
    }
}

template <RingWord R>
void ClientTile<R>::answer(int stage, BitWriter &out) {
  SecretVector<std::uint64_t> forA(words()), forB(words());
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    ProductPads &own = levels_[l];
    for (const auto &step : layout_.levels[l].steps) {
      if (step.stage != stage) continue;
      const std::uint64_t *a = own.nodes[step.a], *b = own.nodes[step.b];
      const std::uint64_t *aZero = own.pads[step.aPlane], *aOne = own.ones[step.aPlane];
      const std::uint64_t *bZero = own.pads[step.bPlane], *bOne = own.ones[step.bPlane];
      std::uint64_t *result = own.nodes[step.result];
      for (std::size_t w = 0; w < words(); ++w) {
        forA[w] = aZero[w] ^ aOne[w] ^ b[w];
        forB[w] = bZero[w] ^ bOne[w] ^ a[w];
        result[w] = (a[w] & b[w]) ^ aZero[w] ^ bZero[w];
      }
      out.plane(forA.data(), tile_.count);
      out.plane(forB.data(), tile_.count);
    }
  }
}

template <RingWord R>
void ClientTile<R>::finish() {
  auto *m = std::get_if<CompareClient<R>>(&material_);
  if (!m) return;
  int product = 0;
  for (std::size_t l = 0; l < levels_.size(); ++l)
    for (int node = layout_.levels[l].wires; node < layout_.levels[l].nodes; ++node)
      std::copy_n(levels_[l].nodes[node], words(), m->products[product++] + word());
}

template class ClientTile<Ring32>;
template class ClientTile<Ring64>;

} // namespace sd

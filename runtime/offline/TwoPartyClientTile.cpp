#include "runtime/offline/TwoPartyTile.h"

namespace sd {
namespace {

PadPlanes from(SecretPlanes &planes, int first) { return {planes[first], planes.stride()}; }

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
  if (auto *m = std::get_if<CompareClient<R>>(&material_)) return beginCompare(*m, ots, *reverse, out);
  if (auto *m = std::get_if<ProductClient<R>>(&material_)) return beginProduct(*m, ots, out);
  auto &m = std::get<TruncateClient<R>>(material_);
  const std::size_t n = tile_.count;
  PadPairs<R> pads(n);
  SD_TRY(ringPads(ots, pads));
  SecretVector<R> nr(n);
  for (std::size_t i = 0; i < n; ++i)
    nr[i] = notTop(m.r[tile_.first + i]);
  correlate(pads, layout_.truncation, nr, m.wrap.span().subspan(tile_.first, n), out);
  return {};
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
Expected<void> ClientTile<R>::beginCompare(CompareClient<R> &m, PadSender &ots, PadReceiver &reverse, BitWriter &out) {
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
  return sendWords(m, ots, reverse, out);
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
Expected<void> ClientTile<R>::sendWords(CompareClient<R> &m, PadSender &ots, PadReceiver &reverse, BitWriter &out) {
  const std::size_t n = tile_.count;
  const int t = layout_.truncation;
  const std::uint64_t *l = m.l[0] + word();
  const auto bit = [&](std::size_t i) { return static_cast<R>(l[i / 64] >> (i % 64) & 1); };
  const auto select = m.select.span().subspan(tile_.first, n), r = m.r.span().subspan(tile_.first, n);
  SecretVector<R> delta(n), known(n); // known: l1 q1 - M_l1
  SD_TRY(ringPads(reverse, m.l[0] + word(), known.span()));
  for (std::size_t i = 0; i < n; ++i) {
    const R q = r[i] >> t, chosen = (R{0} - bit(i)) & q;
    known[i] = chosen - known[i];
    delta[i] = q - 2 * chosen;
  }
  PadPairs<R> pads(n);
  SD_TRY(ringPads(ots, pads));
  correlate(pads, kBitsOf<R>, delta, select, out);
  for (std::size_t i = 0; i < n; ++i)
    select[i] += known[i];
  if (t == 0) return {};

  const auto field = [&](SecretVector<R> &share) {
    correlate(pads, t, delta, share.span().subspan(tile_.first, n), out);
  };
  PadPairs<R> second(n);
  SD_TRY(ringPads(ots, pads, second));
  for (std::size_t i = 0; i < n; ++i)
    delta[i] = notTop(r[i]);
  field(m.wrapA);
  for (std::size_t i = 0; i < n; ++i)
    delta[i] &= bit(i);
  std::swap(pads, second);
  field(m.wrapLA);
  SD_TRY(ringPads(ots, pads));
  for (std::size_t i = 0; i < n; ++i)
    delta[i] = notTop(r[i]) - 2 * delta[i];
  field(m.wrapB);
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
  SecretVector<std::uint64_t> forRest(words()), forLast(words());
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    ProductPads &own = levels_[l];
    for (const auto &step : layout_.levels[l].steps) {
      if (step.stage != stage) continue;
      const std::uint64_t *rest = own.nodes[step.rest], *last = own.nodes[step.last];
      const std::uint64_t *restZero = own.pads[step.restPlane], *restOne = own.ones[step.restPlane];
      const std::uint64_t *lastZero = own.pads[step.lastPlane], *lastOne = own.ones[step.lastPlane];
      std::uint64_t *result = own.nodes[step.result];
      for (std::size_t w = 0; w < words(); ++w) {
        forRest[w] = restZero[w] ^ restOne[w] ^ last[w];
        forLast[w] = lastZero[w] ^ lastOne[w] ^ rest[w];
        result[w] = (rest[w] & last[w]) ^ restZero[w] ^ lastZero[w];
      }
      out.plane(forRest.data(), tile_.count);
      out.plane(forLast.data(), tile_.count);
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

#include "runtime/offline/TwoPartyTile.h"

namespace sd {
namespace {

PadPlanes from(SecretPlanes &planes, int first) { return {planes[first], planes.stride()}; }

Ring bitAt(const std::uint64_t *plane, std::size_t i) { return static_cast<Ring>(plane[i / 64] >> (i % 64) & 1); }

// Correlated OT mod 2^32 on one field of the pads: the peer gets zero + choice delta; writes `bits` of each correction,
// and leaves -zero, this side's share of choice * delta, in `share`.
void correlate(std::span<const std::uint64_t> zero, std::span<const std::uint64_t> one, int shift, int bits,
               std::span<const Ring> delta, std::span<Ring> share, BitWriter &out) {
  SecretVector<Ring> corrections(delta.size());
  for (std::size_t i = 0; i < delta.size(); ++i) {
    const auto pad = static_cast<Ring>(zero[i] >> shift);
    corrections[i] = pad + delta[i] - static_cast<Ring>(one[i] >> shift);
    share[i] = Ring{0} - pad;
  }
  out.fields(corrections.span(), bits);
}

} // namespace

Expected<void> ClientTile::begin(PadSender &ots, PadReceiver *reverse, BitWriter &out) {
  if (auto *m = std::get_if<CompareClient>(&material_)) return beginCompare(*m, ots, *reverse, out);
  if (auto *m = std::get_if<ProductClient>(&material_)) return beginProduct(*m, ots, out);
  auto &m = std::get<TruncateClient>(material_);
  const std::size_t n = tile_.count;
  SecretVector<std::uint64_t> zero(n), one(n);
  SD_TRY(ots.words(zero.span(), one.span()));
  SecretVector<Ring> nr(n);
  for (std::size_t i = 0; i < n; ++i)
    nr[i] = 1 - (m.r[tile_.first + i] >> 31);
  correlate(zero.span(), one.span(), 0, layout_.truncation, nr.span(), m.wrap.span().subspan(tile_.first, n), out);
  return {};
}

Expected<void> ClientTile::beginProduct(ProductClient &m, PadSender &ots, BitWriter &out) {
  const std::size_t n = tile_.count;
  SecretVector<std::uint64_t> zero(n), one(n);
  SecretVector<Ring> share(n);
  const auto product = m.product.span().subspan(tile_.first, n);
  std::fill(product.begin(), product.end(), 0);
  for (int j = 0; j < 2 * kRingBits; ++j) {
    const int k = j % kRingBits;
    SD_TRY(ots.words(zero.span(), one.span()));
    const auto factor = (j < kRingBits ? m.s : m.r).span().subspan(tile_.first, n);
    correlate(zero.span(), one.span(), 0, kRingBits - k, factor, share.span(), out);
    for (std::size_t i = 0; i < n; ++i)
      product[i] += share[i] << k;
  }
  return {};
}

Expected<void> ClientTile::beginCompare(CompareClient &m, PadSender &ots, PadReceiver &reverse, BitWriter &out) {
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
Expected<void> ClientTile::maskTables(CompareClient &m, PadSender &ots, BitWriter &out) {
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

Expected<void> ClientTile::sendWords(CompareClient &m, PadSender &ots, PadReceiver &reverse, BitWriter &out) {
  const std::size_t n = tile_.count;
  const int t = layout_.truncation;
  SecretVector<std::uint64_t> zero(n), one(n);
  SecretVector<Ring> delta(n);
  const std::uint64_t *l = m.l[0] + word();
  SD_TRY(reverse.words(m.l[0] + word(), zero.span()));
  const auto select = m.select.span().subspan(tile_.first, n), r = m.r.span().subspan(tile_.first, n);
  SecretVector<Ring> known(n); // l1 q1 - M_l1
  for (std::size_t i = 0; i < n; ++i) {
    const Ring q = r[i] >> t, chosen = (Ring{0} - bitAt(l, i)) & q;
    known[i] = chosen - static_cast<Ring>(zero[i]);
    delta[i] = q - 2 * chosen;
  }
  SD_TRY(ots.words(zero.span(), one.span()));
  correlate(zero.span(), one.span(), 0, kRingBits, delta.span(), select, out);
  for (std::size_t i = 0; i < n; ++i)
    select[i] += known[i];
  if (t == 0) return {};

  const auto field = [&](int shift, SecretVector<Ring> &share) {
    correlate(zero.span(), one.span(), shift, t, delta.span(), share.span().subspan(tile_.first, n), out);
  };
  SD_TRY(ots.words(zero.span(), one.span()));
  for (std::size_t i = 0; i < n; ++i)
    delta[i] = 1 - (r[i] >> 31);
  field(0, m.wrapA);
  for (std::size_t i = 0; i < n; ++i)
    delta[i] &= bitAt(l, i);
  field(32, m.wrapLA);
  SD_TRY(ots.words(zero.span(), one.span()));
  for (std::size_t i = 0; i < n; ++i)
    delta[i] = 1 - (r[i] >> 31) - 2 * delta[i];
  field(0, m.wrapB);
  return {};
}

void ClientTile::choose(int stage, BitReader &in) {
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

void ClientTile::answer(int stage, BitWriter &out) {
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

void ClientTile::finish() {
  auto *m = std::get_if<CompareClient>(&material_);
  if (!m) return;
  int product = 0;
  for (std::size_t l = 0; l < levels_.size(); ++l)
    for (int node = layout_.levels[l].wires; node < layout_.levels[l].nodes; ++node)
      std::copy_n(levels_[l].nodes[node], words(), m->products[product++] + word());
}

} // namespace sd

#include "runtime/offline/TwoPartyTile.h"

namespace sd {
namespace {

PadPlanes from(SecretPlanes &planes, int first) { return {planes[first], planes.stride()}; }

Ring bitAt(const std::uint64_t *plane, std::size_t i) { return static_cast<Ring>(plane[i / 64] >> (i % 64) & 1); }

// out[i] = pad + choice * correction mod 2^32, for one field of each pad.
void addCorrections(std::span<const std::uint64_t> pads, int shift, const std::uint64_t *choices,
                    std::span<const Ring> corrections, std::span<Ring> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<Ring>(pads[i] >> shift) + ((Ring{0} - bitAt(choices, i)) & corrections[i]);
}

} // namespace

Expected<void> ServiceTile::gather(PadReceiver &ots, PadSender *reverse, Prg &random) {
  const std::size_t n = tile_.count;
  if (auto *m = std::get_if<CompareService>(&material_)) return gatherCompare(*m, ots, *reverse, random);
  if (auto *m = std::get_if<TruncateService>(&material_)) {
    pads_.resize(n);
    return ots.words(m->c[0] + word(), pads_.span());
  }
  auto &m = std::get<ProductService>(material_);
  pads_.resize(2 * kRingBits * n);
  std::array<std::uint64_t, kPadTile / 64> choices;
  for (int k = 0; k < 2 * kRingBits; ++k) {
    SD_TRY(ots.words(choices.data(), pads_.span().subspan(k * n, n)));
    auto factor = (k < kRingBits ? m.alpha : m.beta).span().subspan(tile_.first, n);
    for (std::size_t i = 0; i < n; ++i)
      factor[i] = (k % kRingBits ? factor[i] : 0) | bitAt(choices.data(), i) << (k % kRingBits);
  }
  OPENSSL_cleanse(choices.data(), sizeof choices);
  return {};
}

Expected<void> ServiceTile::gatherCompare(CompareService &m, PadReceiver &ots, PadSender &reverse, Prg &random) {
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
  SecretVector<std::uint64_t> zero(n), one(n);
  SD_TRY(reverse.words(zero.span(), one.span()));
  for (std::size_t i = 0; i < n; ++i) {
    m.d[tile_.first + i] = static_cast<Ring>(one[i] - zero[i]);
    m.select[tile_.first + i] = static_cast<Ring>(zero[i]);
  }
  pads_.resize((layout_.truncation ? 3 : 1) * n);
  SD_TRY(ots.words(m.l[0] + word(), pads_.span().first(n)));
  if (layout_.truncation == 0) return {};
  SD_TRY(ots.words(m.wrapChoice[0] + word(), pads_.span().subspan(n, n)));
  return ots.words(m.wrapChoice[1] + word(), pads_.span().subspan(2 * n, n));
}

void ServiceTile::apply(int stage, BitReader &in) {
  const std::size_t n = tile_.count;
  if (auto *m = std::get_if<CompareService>(&material_)) {
    if (stage == 1) applyTables(*m, in);
    applyProducts(stage, in);
    if (stage == 1) applyWords(*m, in);
    // A window keeps all its tiles until the last stage: what only the first needed goes now.
    tablePads_ = {};
    pads_ = {};
    return;
  }
  if (stage > 1) return;
  SecretVector<Ring> corrections(n);
  if (auto *m = std::get_if<TruncateService>(&material_)) {
    in.fields(corrections.span(), layout_.truncation);
    addCorrections(pads_.span(), 0, m->c[0] + word(), corrections.span(), m->wrap.span().subspan(tile_.first, n));
    return;
  }
  // Bit k of the factor weighs 2^k: its OT carries 32 - k bits.
  auto &m = std::get<ProductService>(material_);
  const auto product = m.product.span().subspan(tile_.first, n);
  std::fill(product.begin(), product.end(), 0);
  for (int j = 0; j < 2 * kRingBits; ++j) {
    const int k = j % kRingBits;
    const auto factor = (j < kRingBits ? m.alpha : m.beta).span().subspan(tile_.first, n);
    in.fields(corrections.span(), kRingBits - k);
    for (std::size_t i = 0; i < n; ++i) {
      const Ring chosen = (Ring{0} - (factor[i] >> k & 1)) & corrections[i];
      product[i] += (static_cast<Ring>(pads_[j * n + i]) + chosen) << k;
    }
  }
}

void ServiceTile::applyTables(CompareService &m, BitReader &in) {
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

void ServiceTile::applyProducts(int stage, BitReader &in) {
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

void ServiceTile::applyWords(CompareService &m, BitReader &in) {
  const std::size_t n = tile_.count;
  SecretVector<Ring> corrections(n), share(n);
  in.fields(corrections.span(), kRingBits);
  addCorrections(pads_.span().first(n), 0, m.l[0] + word(), corrections.span(), share.span());
  for (std::size_t i = 0; i < n; ++i)
    m.select[tile_.first + i] += share[i];
  const int t = layout_.truncation;
  if (t == 0) return;
  const auto field = [&](int ot, int shift, SecretVector<Ring> &out) {
    in.fields(corrections.span(), t);
    addCorrections(pads_.span().subspan((1 + ot) * n, n), shift, m.wrapChoice[ot] + word(), corrections.span(),
                   out.span().subspan(tile_.first, n));
  };
  field(0, 0, m.wrapA);
  field(0, 32, m.wrapLA);
  field(1, 0, m.wrapB);
}

void ServiceTile::choose(int stage, BitWriter &out) {
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

void ServiceTile::finish() {
  auto *m = std::get_if<CompareService>(&material_);
  if (!m) return;
  int product = 0;
  for (std::size_t l = 0; l < levels_.size(); ++l)
    for (int node = layout_.levels[l].wires; node < layout_.levels[l].nodes; ++node)
      std::copy_n(levels_[l].nodes[node], words(), m->products[product++] + word());
}

} // namespace sd

#include "runtime/offline/Deal.h"

#include "runtime/kernels/MatMul.h"
#include "runtime/offline/LeafTable.h"

namespace sd {
namespace {

CompareTree treeOf(const PlanEntry &entry) { return entry.compare.tree(); }

template <RingWord R>
CompareService<R> compareServiceParts(const PlanEntry &entry, Prg &prg) {
  const CompareTree tree = treeOf(entry);
  const std::size_t n = entry.elements;
  CompareService<R> m;
  m.c = SecretPlanes::random(n, tree.bits, prg);
  m.tables = SecretPlanes::random(n, tree.tablePlanes(), prg);
  m.masks = SecretPlanes::random(n, tree.wires(), prg);
  m.products = SecretPlanes::random(n, tree.products(), prg);
  m.ends = SecretPlanes::random(n, entry.compare.results(), prg);
  m.wrapChoice = SecretPlanes::random(n, entry.compare.wraps(), prg);
  const std::size_t selected = entry.compare.selects ? n : 0, truncated = entry.compare.truncation ? n : 0;
  m.d = randomRing<R>(selected, prg);
  m.select = randomRing<R>(selected, prg);
  m.wrapA = randomRing<R>(truncated, prg);
  m.wrapLA = randomRing<R>(std::min(selected, truncated), prg);
  m.wrapB = randomRing<R>(std::min(selected, truncated), prg);
  m.carry = randomRing<R>(truncated, prg);
  return m;
}

template <RingWord R>
void completeProducts(const CompareTree &tree, const CompareService<R> &service, CompareClient<R> &client) {
  client.products = SecretPlanes(client.r.size(), tree.products());
  const std::size_t words = client.products.stride();
  int firstMask = 0, firstProduct = 0;
  for (const auto &level : tree.levels) {
    for (std::size_t p = 0; p < level.products.size(); ++p) {
      // The product in the clear, from its parts in the clear; then the share.
      const auto value = [&](int node, std::size_t w) {
        if (node < level.wireCount()) return service.masks[firstMask + node][w] ^ client.masks[firstMask + node][w];
        const int at = firstProduct + node - level.wireCount();
        return service.products[at][w] ^ client.products[at][w];
      };
      const int at = firstProduct + static_cast<int>(p);
      for (std::size_t w = 0; w < words; ++w)
        client.products[at][w] =
            (value(level.products[p].a, w) & value(level.products[p].b, w)) ^ service.products[at][w];
    }
    firstMask += level.wireCount();
    firstProduct += static_cast<int>(level.products.size());
  }
}

template <RingWord R>
void completeTables(const CompareTree &tree, const CompareService<R> &service, CompareClient<R> &client) {
  client.tables = leafTables(tree, comparedBits<R>(tree, client.r.span()));
  const auto first = firstTablePlanes(tree);
  for (std::size_t d = 0; d < tree.digits.size(); ++d)
    for (int bit = 0; bit < tree.digits[d].bits; ++bit)
      swapEntries(client.tables, first[d], tree.digits[d], bit, service.c[tree.digits[d].firstBit + bit]);
  xorPlanes(client.tables.words().data(), service.tables.words().data(), client.tables.words().size());
}

// All ones if the element's bit is set.
template <RingWord R>
R spread(const SecretPlanes &planes, int plane, std::size_t i) {
  return R{0} - R{planes.bit(plane, i)};
}

template <RingWord R>
void completeSelection(const PlanEntry &entry, const CompareService<R> &service, CompareClient<R> &client) {
  const std::size_t n = entry.elements;
  const int t = entry.compare.truncation;
  client.select = SecretVector<R>(n);
  client.wrapLA = SecretVector<R>(t ? n : 0);
  client.wrapB = SecretVector<R>(t ? n : 0);
  for (std::size_t i = 0; i < n; ++i) {
    const R l1 = spread<R>(client.ends, 0, i), lam = l1 ^ spread<R>(service.ends, 0, i);
    client.select[i] = (lam & client.r[i] >> t) - (l1 & service.d[i]) - service.select[i];
    if (t == 0) continue;
    const R nr = notTop(client.r[i]);
    const R cA = spread<R>(service.wrapChoice, 0, i), cB = spread<R>(service.wrapChoice, 1, i);
    client.wrapLA[i] = (cA & l1 & nr) - service.wrapLA[i];
    client.wrapB[i] = (cB & (nr - 2 * (l1 & nr))) - service.wrapB[i];
  }
}

template <RingWord R>
void completeTruncation(const PlanEntry &entry, const CompareService<R> &service, CompareClient<R> &client) {
  const std::size_t n = entry.elements;
  const int rho = entry.compare.results() - 1;
  client.wrapA = SecretVector<R>(n);
  client.carry = SecretVector<R>(n);
  for (std::size_t i = 0; i < n; ++i) {
    client.wrapA[i] = (spread<R>(service.wrapChoice, 0, i) & notTop(client.r[i])) - service.wrapA[i];
    client.carry[i] = R{client.ends.bit(rho, i) != service.ends.bit(rho, i)} - service.carry[i];
  }
}

// The fields of `Client` that depend on r, in the order of the corrections' message.
template <class Client, class F>
void correctedFields(const PlanEntry &entry, int ringBits, Client &client, F &&f) {
  const std::size_t n = entry.elements;
  if constexpr (requires { client.tables; }) {
    const CompareTree tree = treeOf(entry);
    const int t = entry.compare.truncation;
    if (entry.compare.selects) f(client.select, n, ringBits);
    f(client.tables, n, tree.tablePlanes());
    f(client.products, n, tree.products());
    if (t == 0) return;
    f(client.wrapA, n, t);
    f(client.carry, n, ringBits);
    if (!entry.compare.selects) return;
    f(client.wrapLA, n, t);
    f(client.wrapB, n, t);
  } else if constexpr (requires { client.product; }) {
    f(client.product, n, ringBits);
  }
}

struct FieldWriter {
  BitWriter &out;
  template <RingWord R>
  void operator()(const SecretVector<R> &words, std::size_t, int bits) {
    out.fields(words.span(), bits);
  }
  void operator()(const SecretPlanes &planes, std::size_t n, int count) {
    for (int j = 0; j < count; ++j)
      out.plane(planes[j], n);
  }
};

struct FieldReader {
  BitReader &in;
  template <RingWord R>
  void operator()(SecretVector<R> &words, std::size_t n, int bits) {
    words = SecretVector<R>(n);
    in.fields(words.span(), bits);
  }
  void operator()(SecretPlanes &planes, std::size_t n, int count) {
    planes = SecretPlanes(n, count);
    for (int j = 0; j < count; ++j)
      in.plane(planes[j], n);
  }
};

} // namespace

template <RingWord R>
ServiceMaterial<R> dealtServiceParts(const PlanEntry &entry, Prg &prg) {
  const std::size_t n = entry.elements;
  switch (entry.kind) {
  case EntryKind::Linear:
    return LinearMaterial<R>{randomRing<R>(n, prg)};
  case EntryKind::Truncate:
  case EntryKind::Compare:
  case EntryKind::Maximum:
    return compareServiceParts<R>(entry, prg);
  case EntryKind::Product:
  case EntryKind::Dot: {
    ProductService<R> m;
    m.alpha = randomRing<R>(entry.left(), prg);
    m.beta = randomRing<R>(entry.right(), prg);
    m.product = randomRing<R>(n, prg);
    return m;
  }
  case EntryKind::Input:
  case EntryKind::Output:
    break;
  }
  return std::monostate{};
}

template <RingWord R>
ClientMaterial<R> dealtClientParts(const PlanEntry &entry, Prg &prg) {
  switch (entry.kind) {
  case EntryKind::Input:
    return InputMaterial<R>{};
  case EntryKind::Output:
    return OutputMaterial<R>{};
  case EntryKind::Product:
  case EntryKind::Dot:
    return ProductClient<R>{};
  case EntryKind::Truncate:
  case EntryKind::Compare:
  case EntryKind::Maximum: {
    CompareClient<R> m;
    m.masks = SecretPlanes::random(entry.elements, treeOf(entry).wires(), prg);
    m.ends = SecretPlanes::random(entry.elements, entry.compare.results(), prg);
    return m;
  }
  case EntryKind::Linear:
    break;
  }
  return std::monostate{};
}

template <RingWord R>
Expected<std::vector<SecretVector<R>>> dealtMasks(const Plan &plan, const Seed &clientSeed, MaskWalk<R> &walk) {
  Prg prg(clientSeed.derive("masks"));
  std::vector<SecretVector<R>> masks(plan.entries.size());
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    if (!plan.entries[i].newMask()) continue;
    masks[i] = randomRing<R>(plan.entries[i].elements, prg);
    SD_TRY(walk.announce(i, masks[i].span()));
  }
  return masks;
}

template <RingWord R>
Expected<void> setMasks(const Plan &plan, std::size_t index, MaskWalk<R> &walk, SecretVector<R> mask,
                        ClientMaterial<R> &material) {
  const PlanEntry &entry = plan.entries[index];
  const auto operand = [&](int which) -> Expected<SecretVector<R>> {
    SD_ASSIGN(SecretVector<R> r, walk.operand(index, which));
    if (const std::uint64_t wanted = which ? entry.right() : entry.left(); r.size() != wanted)
      return fail("entry {}: a mask of {} elements for {}", index, r.size(), wanted);
    return r;
  };
  if (auto *input = std::get_if<InputMaterial<R>>(&material)) input->mask = std::move(mask);
  if (auto *output = std::get_if<OutputMaterial<R>>(&material)) {
    SD_ASSIGN(output->r, operand(0));
  }
  if (auto *compare = std::get_if<CompareClient<R>>(&material)) {
    SD_ASSIGN(compare->r, operand(0));
    if (entry.kind == EntryKind::Maximum) {
      SD_ASSIGN(compare->addend, operand(1));
      for (std::size_t i = 0; i < entry.elements; ++i)
        compare->r[i] -= compare->addend[i];
    }
    compare->mask = std::move(mask);
  }
  if (auto *product = std::get_if<ProductClient<R>>(&material)) {
    SD_ASSIGN(product->r, operand(0));
    SD_ASSIGN(product->s, operand(1));
    product->mask = std::move(mask);
  }
  return {};
}

template <RingWord R>
void completeClient(const PlanEntry &entry, const ServiceMaterial<R> &service, ClientMaterial<R> &client,
                    ThreadPool *pool) {
  const std::size_t n = entry.elements;
  if (auto *compare = std::get_if<CompareClient<R>>(&client)) {
    const auto &s = std::get<CompareService<R>>(service);
    const CompareTree tree = treeOf(entry);
    completeTables(tree, s, *compare);
    completeProducts(tree, s, *compare);
    if (entry.compare.selects) completeSelection(entry, s, *compare);
    if (entry.compare.truncation) completeTruncation(entry, s, *compare);
  }
  if (auto *product = std::get_if<ProductClient<R>>(&client)) {
    const auto &s = std::get<ProductService<R>>(service);
    product->product = SecretVector<R>(n);
    if (entry.kind == EntryKind::Dot) {
      ThreadPool single(1);
      ThreadPool &threads = pool ? *pool : single;
      SecretVector<R> other(n);
      multiplyDot<R>(threads, entry.dot, s.alpha.span(), product->s.span(), product->product.span());
      multiplyDot<R>(threads, entry.dot, product->r.span(), s.beta.span(), other.span());
      for (std::size_t i = 0; i < n; ++i)
        product->product[i] += other[i] - s.product[i];
      return;
    }
    for (std::size_t i = 0; i < n; ++i)
      product->product[i] = s.alpha[i] * product->s[i] + s.beta[i] * product->r[i] - s.product[i];
  }
}

std::size_t correctionBytes(const PlanEntry &entry, int ringBits) {
  return bytesOfBits(entry.cost(ringBits).dealerBits * entry.elements);
}

template <RingWord R>
void writeCorrections(const PlanEntry &entry, const ClientMaterial<R> &client, std::span<std::uint8_t> out) {
  BitWriter writer(out);
  std::visit([&](const auto &m) { correctedFields(entry, kBitsOf<R>, m, FieldWriter{writer}); }, client);
  writer.finish();
}

template <RingWord R>
Expected<void> readCorrections(const PlanEntry &entry, std::span<const std::uint8_t> in, ClientMaterial<R> &client) {
  BitReader reader(in);
  std::visit([&](auto &m) { correctedFields(entry, kBitsOf<R>, m, FieldReader{reader}); }, client);
  if (!reader.finish()) return fail("the dealer's corrections end in stray bits");
  return {};
}

#define SD_DEAL(R)                                                                                                     \
  template ServiceMaterial<R> dealtServiceParts<R>(const PlanEntry &, Prg &);                                          \
  template ClientMaterial<R> dealtClientParts<R>(const PlanEntry &, Prg &);                                            \
  template Expected<std::vector<SecretVector<R>>> dealtMasks(const Plan &, const Seed &, MaskWalk<R> &);               \
  template Expected<void> setMasks(const Plan &, std::size_t, MaskWalk<R> &, SecretVector<R>, ClientMaterial<R> &);    \
  template void completeClient<R>(const PlanEntry &, const ServiceMaterial<R> &, ClientMaterial<R> &, ThreadPool *);   \
  template void writeCorrections<R>(const PlanEntry &, const ClientMaterial<R> &, std::span<std::uint8_t>);            \
  template Expected<void> readCorrections<R>(const PlanEntry &, std::span<const std::uint8_t>, ClientMaterial<R> &);
SD_DEAL(Ring32)
SD_DEAL(Ring64)
#undef SD_DEAL

} // namespace sd

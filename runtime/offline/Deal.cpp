#include "runtime/offline/Deal.h"

#include "runtime/offline/LeafTable.h"

namespace sd {
namespace {

CompareTree treeOf(const PlanEntry &entry) { return CompareTree::make(entry.compare.bits(), entry.compare.schedule); }

CompareService compareServiceParts(const PlanEntry &entry, Prg &prg) {
  const CompareTree tree = treeOf(entry);
  const std::size_t n = entry.elements;
  CompareService m;
  m.c = SecretPlanes::random(n, tree.bits, prg);
  m.tables = SecretPlanes::random(n, tree.tablePlanes(), prg);
  m.masks = SecretPlanes::random(n, tree.wires(), prg);
  m.products = SecretPlanes::random(n, tree.products(), prg);
  m.l = SecretPlanes::random(n, 1, prg);
  m.d = randomRing(n, prg);
  m.select = randomRing(n, prg);
  if (entry.compare.truncation) {
    m.wrapChoice = SecretPlanes::random(n, 2, prg);
    m.wrapA = randomRing(n, prg);
    m.wrapLA = randomRing(n, prg);
    m.wrapB = randomRing(n, prg);
  }
  return m;
}

void completeProducts(const CompareTree &tree, const CompareService &service, CompareClient &client) {
  client.products = SecretPlanes(client.r.size(), tree.products());
  const std::size_t words = client.products.stride();
  int firstMask = 0, firstProduct = 0;
  for (const auto &level : tree.levels) {
    for (std::size_t p = 0; p < level.products.size(); ++p) {
      // The product in the clear, from its parts in the clear; then the share.
      const auto value = [&](int node, std::size_t w) {
        if (node < level.wires) return service.masks[firstMask + node][w] ^ client.masks[firstMask + node][w];
        const int at = firstProduct + node - level.wires;
        return service.products[at][w] ^ client.products[at][w];
      };
      const int at = firstProduct + static_cast<int>(p);
      for (std::size_t w = 0; w < words; ++w)
        client.products[at][w] =
            (value(level.products[p].rest, w) & value(level.products[p].last, w)) ^ service.products[at][w];
    }
    firstMask += level.wires;
    firstProduct += static_cast<int>(level.products.size());
  }
}

void completeTables(const CompareTree &tree, const PlanEntry &entry, const CompareService &service,
                    CompareClient &client) {
  client.tables = leafTables(tree, comparedBits(tree, entry.compare.truncation, client.r.span()));
  const auto first = firstTablePlanes(tree);
  for (std::size_t d = 0; d < tree.digits.size(); ++d)
    for (int bit = 0; bit < tree.digits[d].bits; ++bit)
      swapEntries(client.tables, first[d], tree.digits[d], bit, service.c[tree.digits[d].firstBit + bit]);
  xorPlanes(client.tables.words().data(), service.tables.words().data(), client.tables.words().size());
}

// All ones if the element's bit is set.
Ring spread(const SecretPlanes &planes, int plane, std::size_t i) { return Ring{0} - Ring{planes.bit(plane, i)}; }

void completeSelection(const PlanEntry &entry, const CompareService &service, CompareClient &client) {
  const std::size_t n = entry.elements;
  const int t = entry.compare.truncation;
  client.select = SecretVector<Ring>(n);
  for (std::size_t i = 0; i < n; ++i) {
    const Ring l1 = spread(client.l, 0, i), lam = l1 ^ spread(service.l, 0, i);
    client.select[i] = (lam & client.r[i] >> t) - (l1 & service.d[i]) - service.select[i];
  }
  if (t == 0) return;
  client.wrapA = SecretVector<Ring>(n);
  client.wrapLA = SecretVector<Ring>(n);
  client.wrapB = SecretVector<Ring>(n);
  for (std::size_t i = 0; i < n; ++i) {
    const Ring nr = 1 - (client.r[i] >> 31), l1 = spread(client.l, 0, i);
    const Ring cA = spread(service.wrapChoice, 0, i), cB = spread(service.wrapChoice, 1, i);
    client.wrapA[i] = (cA & nr) - service.wrapA[i];
    client.wrapLA[i] = (cA & l1 & nr) - service.wrapLA[i];
    client.wrapB[i] = (cB & (nr - 2 * (l1 & nr))) - service.wrapB[i];
  }
}

// The fields of `Client` that depend on r, in the order of the corrections' message.
template <class Client, class F>
void correctedFields(const PlanEntry &entry, Client &client, F &&f) {
  const std::size_t n = entry.elements;
  const int t = entry.compare.truncation;
  if constexpr (requires { client.tables; }) {
    const CompareTree tree = treeOf(entry);
    f(client.select, n, kRingBits);
    f(client.tables, n, tree.tablePlanes());
    f(client.products, n, tree.products());
    if (t == 0) return;
    f(client.wrapA, n, t);
    f(client.wrapLA, n, t);
    f(client.wrapB, n, t);
  } else if constexpr (requires { client.wrap; }) {
    if (t) f(client.wrap, n, t);
  } else if constexpr (requires { client.product; }) {
    f(client.product, n, kRingBits);
  }
}

struct FieldWriter {
  BitWriter &out;
  void operator()(const SecretVector<Ring> &words, std::size_t, int bits) { out.fields(words.span(), bits); }
  void operator()(const SecretPlanes &planes, std::size_t n, int count) {
    for (int j = 0; j < count; ++j)
      out.plane(planes[j], n);
  }
};

struct FieldReader {
  BitReader &in;
  void operator()(SecretVector<Ring> &words, std::size_t n, int bits) {
    words = SecretVector<Ring>(n);
    in.fields(words.span(), bits);
  }
  void operator()(SecretPlanes &planes, std::size_t n, int count) {
    planes = SecretPlanes(n, count);
    for (int j = 0; j < count; ++j)
      in.plane(planes[j], n);
  }
};

} // namespace

ServiceMaterial dealtServiceParts(const PlanEntry &entry, Prg &prg) {
  const std::size_t n = entry.elements;
  switch (entry.kind) {
  case EntryKind::Linear:
    return LinearMaterial{randomRing(n, prg)};
  case EntryKind::Truncate: {
    TruncateService m;
    m.c = SecretPlanes::random(n, 1, prg);
    m.wrap = randomRing(n, prg);
    return m;
  }
  case EntryKind::Compare:
  case EntryKind::Maximum:
    return compareServiceParts(entry, prg);
  case EntryKind::Product: {
    ProductService m;
    m.alpha = randomRing(n, prg);
    m.beta = randomRing(n, prg);
    m.product = randomRing(n, prg);
    return m;
  }
  case EntryKind::Input:
  case EntryKind::Output:
    break;
  }
  return std::monostate{};
}

ClientMaterial dealtClientParts(const PlanEntry &entry, Prg &prg) {
  switch (entry.kind) {
  case EntryKind::Input:
    return InputMaterial{};
  case EntryKind::Output:
    return OutputMaterial{};
  case EntryKind::Truncate:
    return TruncateClient{};
  case EntryKind::Product:
    return ProductClient{};
  case EntryKind::Compare:
  case EntryKind::Maximum: {
    CompareClient m;
    m.masks = SecretPlanes::random(entry.elements, treeOf(entry).wires(), prg);
    m.l = SecretPlanes::random(entry.elements, 1, prg);
    return m;
  }
  case EntryKind::Linear:
    break;
  }
  return std::monostate{};
}

Expected<std::vector<SecretVector<Ring>>> dealtMasks(const Plan &plan, const Seed &clientSeed, MaskWalk &walk) {
  Prg prg(clientSeed.derive("masks"));
  std::vector<SecretVector<Ring>> masks(plan.entries.size());
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    if (!plan.entries[i].newMask()) continue;
    masks[i] = randomRing(plan.entries[i].elements, prg);
    SD_TRY(walk.announce(i, masks[i].span()));
  }
  return masks;
}

Expected<void> setMasks(const Plan &plan, std::size_t index, MaskWalk &walk, SecretVector<Ring> mask,
                        ClientMaterial &material) {
  const PlanEntry &entry = plan.entries[index];
  const auto operand = [&](int which) -> Expected<SecretVector<Ring>> {
    SD_ASSIGN(SecretVector<Ring> r, walk.operand(index, which));
    if (r.size() != entry.elements)
      return fail("entry {}: a mask of {} elements for {}", index, r.size(), entry.elements);
    return r;
  };
  if (auto *input = std::get_if<InputMaterial>(&material)) input->mask = std::move(mask);
  if (auto *output = std::get_if<OutputMaterial>(&material)) {
    SD_ASSIGN(output->r, operand(0));
  }
  if (auto *truncate = std::get_if<TruncateClient>(&material)) {
    SD_ASSIGN(truncate->r, operand(0));
    truncate->mask = std::move(mask);
  }
  if (auto *compare = std::get_if<CompareClient>(&material)) {
    SD_ASSIGN(compare->r, operand(0));
    if (entry.kind == EntryKind::Maximum) {
      SD_ASSIGN(compare->addend, operand(1));
      for (std::size_t i = 0; i < entry.elements; ++i)
        compare->r[i] -= compare->addend[i];
    }
    compare->mask = std::move(mask);
  }
  if (auto *product = std::get_if<ProductClient>(&material)) {
    SD_ASSIGN(product->r, operand(0));
    SD_ASSIGN(product->s, operand(1));
    product->mask = std::move(mask);
  }
  return {};
}

void completeClient(const PlanEntry &entry, const ServiceMaterial &service, ClientMaterial &client) {
  const std::size_t n = entry.elements;
  if (auto *truncate = std::get_if<TruncateClient>(&client)) {
    const auto &s = std::get<TruncateService>(service);
    truncate->wrap = SecretVector<Ring>(n);
    for (std::size_t i = 0; i < n; ++i)
      truncate->wrap[i] = (spread(s.c, 0, i) & (1 - (truncate->r[i] >> 31))) - s.wrap[i];
  }
  if (auto *compare = std::get_if<CompareClient>(&client)) {
    const auto &s = std::get<CompareService>(service);
    const CompareTree tree = treeOf(entry);
    completeTables(tree, entry, s, *compare);
    completeProducts(tree, s, *compare);
    completeSelection(entry, s, *compare);
  }
  if (auto *product = std::get_if<ProductClient>(&client)) {
    const auto &s = std::get<ProductService>(service);
    product->product = SecretVector<Ring>(n);
    for (std::size_t i = 0; i < n; ++i)
      product->product[i] = s.alpha[i] * product->s[i] + s.beta[i] * product->r[i] - s.product[i];
  }
}

std::size_t correctionBytes(const PlanEntry &entry) { return bytesOfBits(entry.cost().dealerBits * entry.elements); }

void writeCorrections(const PlanEntry &entry, const ClientMaterial &client, std::span<std::uint8_t> out) {
  BitWriter writer(out);
  std::visit([&](const auto &m) { correctedFields(entry, m, FieldWriter{writer}); }, client);
  writer.finish();
}

Expected<void> readCorrections(const PlanEntry &entry, std::span<const std::uint8_t> in, ClientMaterial &client) {
  BitReader reader(in);
  std::visit([&](auto &m) { correctedFields(entry, m, FieldReader{reader}); }, client);
  if (!reader.finish()) return fail("the dealer's corrections end in stray bits");
  return {};
}

} // namespace sd

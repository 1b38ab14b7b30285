#include "runtime/offline/Material.h"

#include <algorithm>
#include <cassert>
#include <type_traits>

namespace sd {
namespace {

// Each visit() below names the fields of a material once, with their size: size checks, packing and unpacking follow.
// Visitors have planes(SecretPlanes &, elements, count) and words(SecretVector<R> &, elements, bits).
// One visit() for reading and for filling: M is Of<R> for some R, or const.
template <class M, template <RingWord> class Of>
concept Is = requires(const M m) {
  []<RingWord R>(const Of<R> &) {}(m);
};

// Elements, and how many planes and bits a word they have; 0 words where a field is not there.
struct Sizes {
  Sizes(const PlanEntry &entry, int ringBits)
      : n(entry.elements), left(entry.left()), right(entry.right()), word(ringBits), t(entry.compare.truncation) {
    if (!compares(entry.kind)) return;
    const CompareTree tree = entry.compare.tree();
    bits = tree.bits;
    tables = tree.tablePlanes();
    wires = tree.wires();
    products = tree.products();
    ends = entry.compare.results();
    wraps = entry.compare.wraps();
    selected = entry.compare.selects ? n : 0;
    truncated = t ? n : 0;
    both = std::min(selected, truncated);
    addend = entry.kind == EntryKind::Maximum ? n : 0;
  }
  std::size_t n, left, right;
  int word, t, bits = 0, tables = 0, wires = 0, products = 0, ends = 0, wraps = 0;
  std::size_t selected = 0, truncated = 0, both = 0, addend = 0;
};

template <class Visitor>
void visit(const std::monostate &, const Sizes &, Visitor &) {}
template <Is<InputMaterial> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.mask, s.n, s.word);
}
template <Is<OutputMaterial> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.r, s.n, s.word);
}
template <Is<LinearMaterial> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.u, s.n, s.word);
}
template <class M, class Visitor>
void visitShared(M &m, const Sizes &s, Visitor &v) {
  v.planes(m.tables, s.n, s.tables);
  v.planes(m.masks, s.n, s.wires);
  v.planes(m.products, s.n, s.products);
  v.planes(m.ends, s.n, s.ends);
  v.words(m.select, s.selected, s.word);
  v.words(m.wrapA, s.truncated, s.t);
  v.words(m.wrapLA, s.both, s.t);
  v.words(m.wrapB, s.both, s.t);
  v.words(m.carry, s.truncated, s.word);
}
template <Is<CompareService> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.planes(m.c, s.n, s.bits);
  visitShared(m, s, v);
  v.words(m.d, s.selected, s.word);
  v.planes(m.wrapChoice, s.n, s.wraps);
}
template <Is<CompareClient> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.r, s.n, s.word);
  visitShared(m, s, v);
  v.words(m.addend, s.addend, s.word);
  v.words(m.mask, s.n, s.word);
}
template <Is<ProductService> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.alpha, s.left, s.word);
  v.words(m.beta, s.right, s.word);
  v.words(m.product, s.n, s.word);
}
template <Is<ProductClient> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.r, s.left, s.word);
  v.words(m.s, s.right, s.word);
  v.words(m.product, s.n, s.word);
  v.words(m.mask, s.n, s.word);
}

struct SizeChecker {
  bool ok = true;
  void planes(const SecretPlanes &planes, std::size_t n, int count) {
    ok = ok && planes.count() == count && (count == 0 || planes.elements() == n) &&
         planes.words().size() == planeWords(n) * static_cast<std::size_t>(count);
  }
  template <RingWord R>
  void words(const SecretVector<R> &words, std::size_t n, int) {
    ok = ok && words.size() == n;
  }
};

struct BitCounter {
  std::size_t bits = 0;
  void planes(const SecretPlanes &, std::size_t n, int count) { bits += n * static_cast<std::size_t>(count); }
  template <RingWord R>
  void words(const SecretVector<R> &, std::size_t n, int width) {
    bits += n * static_cast<std::size_t>(width);
  }
};

struct Packer {
  BitWriter &out;
  void planes(const SecretPlanes &planes, std::size_t n, int count) {
    for (int j = 0; j < count; ++j)
      out.plane(planes[j], n);
  }
  template <RingWord R>
  void words(const SecretVector<R> &words, std::size_t, int width) {
    if (width > 0) out.fields(words.span(), width);
  }
};

struct Unpacker {
  BitReader &in;
  void planes(SecretPlanes &planes, std::size_t n, int count) {
    planes = SecretPlanes(n, count);
    for (int j = 0; j < count; ++j)
      in.plane(planes[j], n);
  }
  template <RingWord R>
  void words(SecretVector<R> &words, std::size_t n, int width) {
    words = SecretVector<R>(n, 0);
    if (width > 0) in.fields(words.span(), width);
  }
};

// Material of the entry's kind, with nothing in it.
template <RingWord R>
ServiceMaterial<R> emptyFor(EntryKind kind, std::type_identity<ServiceMaterial<R>>) {
  switch (kind) {
  case EntryKind::Linear:
    return LinearMaterial<R>{};
  case EntryKind::Truncate:
  case EntryKind::Compare:
  case EntryKind::Maximum:
    return CompareService<R>{};
  case EntryKind::Product:
  case EntryKind::Dot:
    return ProductService<R>{};
  case EntryKind::Input:
  case EntryKind::Output:
    break;
  }
  return std::monostate{};
}

template <RingWord R>
ClientMaterial<R> emptyFor(EntryKind kind, std::type_identity<ClientMaterial<R>>) {
  switch (kind) {
  case EntryKind::Input:
    return InputMaterial<R>{};
  case EntryKind::Output:
    return OutputMaterial<R>{};
  case EntryKind::Truncate:
  case EntryKind::Compare:
  case EntryKind::Maximum:
    return CompareClient<R>{};
  case EntryKind::Product:
  case EntryKind::Dot:
    return ProductClient<R>{};
  case EntryKind::Linear:
    break;
  }
  return std::monostate{};
}

template <class Material>
Material emptyFor(EntryKind kind) {
  return emptyFor(kind, std::type_identity<Material>());
}

template <class Material, class Visitor>
void visitAny(Material &material, const PlanEntry &entry, Visitor &visitor) {
  const Sizes sizes(entry, kBitsOf<typename MaterialTraits<std::remove_const_t<Material>>::Word>);
  std::visit([&](auto &m) { visit(m, sizes, visitor); }, material);
}

template <class Material>
std::size_t packedBytesOf(const PlanEntry &entry) {
  BitCounter counter;
  const auto like = emptyFor<Material>(entry.kind);
  visitAny(like, entry, counter);
  return bytesOfBits(counter.bits);
}

} // namespace

template <PartyMaterial Material>
bool fits(const Material &material, const PlanEntry &entry) {
  if (material.index() != emptyFor<Material>(entry.kind).index()) return false;
  SizeChecker checker;
  visitAny(material, entry, checker);
  return checker.ok;
}

std::size_t packedBytes(const PlanEntry &entry, int party, int ringBits) {
  return withRing(ringBits, [&]<class R>() {
    return party == 0 ? packedBytesOf<ServiceMaterial<R>>(entry) : packedBytesOf<ClientMaterial<R>>(entry);
  });
}

template <PartyMaterial Material>
SecretVector<std::uint8_t> pack(const Material &material, const PlanEntry &entry) {
  assert(fits(material, entry));
  SecretVector<std::uint8_t> out(packedBytesOf<Material>(entry));
  BitWriter writer(out.span());
  Packer packer{writer};
  visitAny(material, entry, packer);
  writer.finish();
  return out;
}

template <PartyMaterial Material>
Expected<Material> unpack(std::span<const std::uint8_t> bytes, const PlanEntry &entry) {
  if (const std::size_t wanted = packedBytesOf<Material>(entry); bytes.size() != wanted)
    return fail("stored correlations of {} bytes where {} are expected", bytes.size(), wanted);
  Material material = emptyFor<Material>(entry.kind);
  BitReader reader(bytes);
  Unpacker unpacker{reader};
  visitAny(material, entry, unpacker);
  if (!reader.finish()) return fail("stored correlations end in stray bits");
  return material;
}

#define SD_MATERIAL(Material)                                                                                          \
  template bool fits(const Material &, const PlanEntry &);                                                             \
  template SecretVector<std::uint8_t> pack(const Material &, const PlanEntry &);                                       \
  template Expected<Material> unpack(std::span<const std::uint8_t>, const PlanEntry &);
SD_MATERIAL(ServiceMaterial<Ring32>)
SD_MATERIAL(ClientMaterial<Ring32>)
SD_MATERIAL(ServiceMaterial<Ring64>)
SD_MATERIAL(ClientMaterial<Ring64>)
#undef SD_MATERIAL

} // namespace sd

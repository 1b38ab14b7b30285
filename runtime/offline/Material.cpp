#include "runtime/offline/Material.h"

#include <concepts>

namespace sd {
namespace {

// Each visit() below names the fields of a material once, with their size: size checks, packing and unpacking follow.
// Visitors have planes(SecretPlanes &, elements, count) and words(SecretVector<Ring> &, elements, bits).
template <class M, class T>
concept Is = std::same_as<std::remove_const_t<M>, T>; // one visit() for reading and for filling

struct Sizes {
  explicit Sizes(const PlanEntry &entry)
      : n(entry.elements), t(entry.compare.truncation), maximum(entry.kind == EntryKind::Maximum) {
    if (entry.kind != EntryKind::Compare && entry.kind != EntryKind::Maximum) return;
    const CompareTree tree = CompareTree::make(entry.compare.bits(), entry.compare.schedule);
    bits = tree.bits;
    tables = tree.tablePlanes();
    wires = tree.wires();
    products = tree.products();
  }
  std::size_t n;
  int t, bits = 0, tables = 0, wires = 0, products = 0;
  bool maximum;
};

template <Is<std::monostate> M, class Visitor>
void visit(M &, const Sizes &, Visitor &) {}
template <Is<InputMaterial> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.mask, s.n, kRingBits);
}
template <Is<OutputMaterial> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.r, s.n, kRingBits);
}
template <Is<LinearMaterial> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.u, s.n, kRingBits);
}
template <Is<TruncateService> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.planes(m.c, s.n, 1);
  v.words(m.wrap, s.n, s.t);
}
template <Is<TruncateClient> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.r, s.n, kRingBits);
  v.words(m.wrap, s.n, s.t);
  v.words(m.mask, s.n, kRingBits);
}
template <class M, class Visitor>
void visitShared(M &m, const Sizes &s, Visitor &v) {
  v.planes(m.tables, s.n, s.tables);
  v.planes(m.masks, s.n, s.wires);
  v.planes(m.products, s.n, s.products);
  v.planes(m.l, s.n, 1);
  v.words(m.select, s.n, kRingBits);
  v.words(m.wrapA, s.t ? s.n : 0, s.t);
  v.words(m.wrapLA, s.t ? s.n : 0, s.t);
  v.words(m.wrapB, s.t ? s.n : 0, s.t);
}
template <Is<CompareService> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.planes(m.c, s.n, s.bits);
  visitShared(m, s, v);
  v.words(m.d, s.n, kRingBits);
  v.planes(m.wrapChoice, s.n, s.t ? 2 : 0);
}
template <Is<CompareClient> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.r, s.n, kRingBits);
  visitShared(m, s, v);
  v.words(m.addend, s.maximum ? s.n : 0, kRingBits);
  v.words(m.mask, s.n, kRingBits);
}
template <Is<ProductService> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.alpha, s.n, kRingBits);
  v.words(m.beta, s.n, kRingBits);
  v.words(m.product, s.n, kRingBits);
}
template <Is<ProductClient> M, class Visitor>
void visit(M &m, const Sizes &s, Visitor &v) {
  v.words(m.r, s.n, kRingBits);
  v.words(m.s, s.n, kRingBits);
  v.words(m.product, s.n, kRingBits);
  v.words(m.mask, s.n, kRingBits);
}

struct SizeChecker {
  bool ok = true;
  void planes(const SecretPlanes &planes, std::size_t n, int count) {
    ok = ok && planes.count() == count && (count == 0 || planes.elements() == n) &&
         planes.words().size() == planeWords(n) * static_cast<std::size_t>(count);
  }
  void words(const SecretVector<Ring> &words, std::size_t n, int) { ok = ok && words.size() == n; }
};

struct BitCounter {
  std::size_t bits = 0;
  void planes(const SecretPlanes &, std::size_t n, int count) { bits += n * static_cast<std::size_t>(count); }
  void words(const SecretVector<Ring> &, std::size_t n, int width) { bits += n * static_cast<std::size_t>(width); }
};

struct Packer {
  BitWriter &out;
  void planes(const SecretPlanes &planes, std::size_t n, int count) {
    for (int j = 0; j < count; ++j)
      out.plane(planes[j], n);
  }
  void words(const SecretVector<Ring> &words, std::size_t, int width) {
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
  void words(SecretVector<Ring> &words, std::size_t n, int width) {
    words = SecretVector<Ring>(n, 0);
    if (width > 0) in.fields(words.span(), width);
  }
};

ServiceMaterial emptyService(EntryKind kind) {
  switch (kind) {
  case EntryKind::Linear:
    return LinearMaterial{};
  case EntryKind::Truncate:
    return TruncateService{};
  case EntryKind::Compare:
  case EntryKind::Maximum:
    return CompareService{};
  case EntryKind::Product:
    return ProductService{};
  case EntryKind::Input:
  case EntryKind::Output:
    break;
  }
  return std::monostate{};
}

ClientMaterial emptyClient(EntryKind kind) {
  switch (kind) {
  case EntryKind::Input:
    return InputMaterial{};
  case EntryKind::Output:
    return OutputMaterial{};
  case EntryKind::Truncate:
    return TruncateClient{};
  case EntryKind::Compare:
  case EntryKind::Maximum:
    return CompareClient{};
  case EntryKind::Product:
    return ProductClient{};
  case EntryKind::Linear:
    break;
  }
  return std::monostate{};
}

template <class Material, class Visitor>
void visitAny(Material &material, const PlanEntry &entry, Visitor &visitor) {
  const Sizes sizes(entry);
  std::visit([&](auto &m) { visit(m, sizes, visitor); }, material);
}

template <class Material>
bool fitsAs(const Material &material, const Material &wanted, const PlanEntry &entry) {
  if (material.index() != wanted.index()) return false;
  SizeChecker checker;
  visitAny(material, entry, checker);
  return checker.ok;
}

template <class Material>
std::size_t packedBytes(const Material &like, const PlanEntry &entry) {
  BitCounter counter;
  visitAny(like, entry, counter);
  return bytesOfBits(counter.bits);
}

template <class Material>
SecretVector<std::uint8_t> packAny(const Material &material, std::size_t bytes, const PlanEntry &entry) {
  assert(fits(material, entry));
  SecretVector<std::uint8_t> out(bytes);
  BitWriter writer(out.span());
  Packer packer{writer};
  visitAny(material, entry, packer);
  writer.finish();
  return out;
}

template <class Material>
Expected<Material> unpackAny(Material material, std::span<const std::uint8_t> bytes, const PlanEntry &entry) {
  BitCounter counter;
  visitAny(material, entry, counter);
  if (const std::size_t wanted = bytesOfBits(counter.bits); bytes.size() != wanted)
    return fail("stored correlations of {} bytes where {} are expected", bytes.size(), wanted);
  BitReader reader(bytes);
  Unpacker unpacker{reader};
  visitAny(material, entry, unpacker);
  if (!reader.finish()) return fail("stored correlations end in stray bits");
  return material;
}

} // namespace

bool fits(const ServiceMaterial &material, const PlanEntry &entry) {
  return fitsAs(material, emptyService(entry.kind), entry);
}
bool fits(const ClientMaterial &material, const PlanEntry &entry) {
  return fitsAs(material, emptyClient(entry.kind), entry);
}

std::size_t servicePackedBytes(const PlanEntry &entry) { return packedBytes(emptyService(entry.kind), entry); }
std::size_t clientPackedBytes(const PlanEntry &entry) { return packedBytes(emptyClient(entry.kind), entry); }

SecretVector<std::uint8_t> pack(const ServiceMaterial &material, const PlanEntry &entry) {
  return packAny(material, servicePackedBytes(entry), entry);
}
SecretVector<std::uint8_t> pack(const ClientMaterial &material, const PlanEntry &entry) {
  return packAny(material, clientPackedBytes(entry), entry);
}

Expected<ServiceMaterial> unpackService(std::span<const std::uint8_t> bytes, const PlanEntry &entry) {
  return unpackAny(emptyService(entry.kind), bytes, entry);
}
Expected<ClientMaterial> unpackClient(std::span<const std::uint8_t> bytes, const PlanEntry &entry) {
  return unpackAny(emptyClient(entry.kind), bytes, entry);
}

} // namespace sd

#include "ir/core/Attributes.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sd {

namespace {
constexpr AttrInfo kAttrs[] = {
#define SD_ATTR(name, text, kind, id, doc) {Attr::name, text, AttrKind::kind, doc},
#include "ir/core/Attrs.def"
#undef SD_ATTR
};
} // namespace

std::span<const AttrInfo> allAttrs() { return kAttrs; }

const AttrInfo *findAttr(Attr attr) {
  auto it = std::ranges::find(kAttrs, attr, &AttrInfo::attr);
  return it == std::end(kAttrs) ? nullptr : it;
}

const AttrInfo *findAttr(std::string_view text) {
  auto it = std::ranges::find(kAttrs, text, &AttrInfo::text);
  return it == std::end(kAttrs) ? nullptr : it;
}

bool equal(const AttrValue &a, const AttrValue &b) {
  if (a.index() != b.index()) return false;
  if (auto *x = std::get_if<double>(&a))
    return std::bit_cast<std::uint64_t>(*x) == std::bit_cast<std::uint64_t>(std::get<double>(b));
  if (auto *x = std::get_if<Floats32>(&a)) {
    auto &y = std::get<Floats32>(b);
    return (*x)->shape == y->shape &&
           std::memcmp((*x)->data.data(), y->data.data(), y->data.size() * sizeof(float)) == 0;
  }
  if (auto *x = std::get_if<Ints64>(&a)) return **x == *std::get<Ints64>(b);
  return a == b;
}

bool Attrs::operator==(const Attrs &other) const {
  return std::ranges::equal(values_, other.values_,
                            [](auto &a, auto &b) { return a.first == b.first && equal(a.second, b.second); });
}

} // namespace sd

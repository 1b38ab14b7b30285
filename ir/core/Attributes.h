// Attributes of an op: a small ordered set of typed values, names and kinds from Attrs.def.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "ir/core/Integers.h"

namespace sd {

enum class Attr : std::uint16_t {
#define SD_ATTR(name, text, kind, id, doc) name = id,
#include "ir/core/Attrs.def"
#undef SD_ATTR
};

enum class AttrKind : std::uint8_t { Int, Ints, Float, String, Strings, Floats32, Ints64 };

struct AttrInfo {
  Attr attr;
  std::string_view text;
  AttrKind kind;
  std::string_view doc;
};

std::span<const AttrInfo> allAttrs(); // in order of id
const AttrInfo *findAttr(Attr attr);  // null for an unknown id
const AttrInfo *findAttr(std::string_view text);

using Floats32 = std::shared_ptr<const Tensor<float>>;
using Ints64 = std::shared_ptr<const Integers>;
// Alternatives in the order of AttrKind.
using AttrValue = std::variant<std::int64_t, std::vector<std::int64_t>, double, std::string, std::vector<std::string>,
                               Floats32, Ints64>;

inline AttrKind kindOf(const AttrValue &value) { return static_cast<AttrKind>(value.index()); }
bool equal(const AttrValue &a, const AttrValue &b); // tensors by content; floats by bits

class Attrs {
public:
  Attrs() = default;
  Attrs(std::initializer_list<std::pair<const Attr, AttrValue>> values) : values_(values) {}

  bool has(Attr attr) const { return values_.contains(attr); }
  void set(Attr attr, AttrValue value) { values_.insert_or_assign(attr, std::move(value)); }
  void erase(Attr attr) { values_.erase(attr); }

  // For attributes that the op's rule guarantees; asserts otherwise.
  std::int64_t i(Attr attr) const { return get<std::int64_t>(attr); }
  const std::vector<std::int64_t> &ints(Attr attr) const { return get<std::vector<std::int64_t>>(attr); }
  double f(Attr attr) const { return get<double>(attr); }
  const std::string &str(Attr attr) const { return get<std::string>(attr); }
  const std::vector<std::string> &strings(Attr attr) const { return get<std::vector<std::string>>(attr); }
  const Tensor<float> &floats(Attr attr) const { return *get<Floats32>(attr); }
  const Integers &integers(Attr attr) const { return *get<Ints64>(attr); }
  std::int64_t i(Attr attr, std::int64_t otherwise) const { return has(attr) ? i(attr) : otherwise; }

  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }
  std::size_t size() const { return values_.size(); }
  bool operator==(const Attrs &other) const;

private:
  template <class T>
  const T &get(Attr attr) const {
    auto it = values_.find(attr);
    assert(it != values_.end() && std::holds_alternative<T>(it->second));
    return std::get<T>(it->second);
  }
  std::map<Attr, AttrValue> values_;
};

} // namespace sd

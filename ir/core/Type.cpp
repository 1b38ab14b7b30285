#include "ir/core/Type.h"

namespace sd {

std::string toString(const Type &type) {
  switch (type.holder) {
  case Holder::Clear:
    return fmt::format("clear<{}>", toString(type.shape));
  case Holder::Weight:
    return fmt::format("weight<{}, 2^{}>", toString(type.shape), type.scale);
  case Holder::Share:
    return fmt::format("share<{}, 2^{}>", toString(type.shape), type.scale);
  }
  return {};
}

} // namespace sd

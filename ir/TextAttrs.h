// Attribute values in the text form.
#pragma once

#include "ir/TextCursor.h"
#include "ir/core/Attributes.h"

namespace sd {

// Tensors with more elements are written as hexadecimal digits (or left out, with `elide`, which can't be read again).
inline constexpr std::int64_t kListedElements = 16;

std::string printValue(const AttrValue &value, bool elide);

// A value of the attribute's kind, or nothing and the cursor's failure.
std::optional<AttrValue> parseValue(TextCursor &cursor, AttrKind kind);

} // namespace sd

// Schemas as JSON (docs/schema.md).
#pragma once

#include <string>
#include <string_view>

#include "ir/bytecode/Schema.h"

namespace sd {

inline constexpr std::size_t kMaxSchemaBytes = std::size_t{32} << 20;

// The one form that a program holds: keys in order, no white space, what is absent left out. Equal schemas give equal
// bytes.
std::string toJson(const Schema &schema);

// A schema that obeys checkSchema(). Errors list all that is wrong, a line each, with its place:
// "inputs[0].columns[2]". In what a user writes, the facts that the compiler adds are refused.
Expected<Schema> parseSchema(std::string_view json);
// What toJson() has written, to the byte.
Expected<Schema> parseProgramSchema(std::string_view json);

} // namespace sd

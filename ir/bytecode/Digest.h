// SHA-256 over the parts of a file.
#pragma once

#include <initializer_list>

#include "ir/bytecode/ByteIo.h"
#include "ir/bytecode/Program.h"

namespace sd {

Digest sha256(std::initializer_list<Bytes> parts);

// The digest of an .sdb: of its header's prefix and its content. The header's copy of it is left out, so a file that
// readProgram() accepts has digestOf(file) in its header. Of anything shorter than a header: of all its bytes.
Digest digestOf(Bytes program);

// Of a program together with its weights.
template <RingWord R>
Digest digestOf(const WeightSet<R> &weights);

std::string toHex(const Digest &digest);

} // namespace sd

// Text files as spreadsheets and statistics programs of all systems write them, as UTF-8.
#pragma once

#include <string>

#include "ir/core/Error.h"

namespace sd {

struct DecodedText {
  std::string utf8;   // without a byte order mark
  std::string remark; // how the bytes were read, where that is not plain; else empty
};

// UTF-8; UTF-16 of either byte order, with a byte order mark or, if all characters of its beginning are ASCII, without;
// what is neither is read as Windows-1252 and remarked. Refused with the cause: UTF-32, damaged UTF-16, NUL bytes, and
// files that are no text (compressed ones, spreadsheets, .npy).
Expected<DecodedText> decodeText(std::string content);

} // namespace sd

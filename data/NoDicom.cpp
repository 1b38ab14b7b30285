// The build without DCMTK.
#include "data/Image.h"

namespace sd {

bool hasDicom() { return false; }

Expected<ImageFile> readDicom(std::string_view, const ImageMeaning &) {
  return fail("a DICOM file, which this build does not read: build with DCMTK (libdcmtk-dev), or convert it to PNG");
}

} // namespace sd

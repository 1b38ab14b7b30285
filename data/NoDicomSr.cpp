// The build without DCMTK.
#include "data/DicomSr.h"

namespace sd {

Expected<std::string> renderDicomSr(const ReportFacts &, const ReportedRecord &, std::size_t) {
  return fail(ErrorKind::Usage, "--format dicom-sr: this build writes no DICOM: build with DCMTK (libdcmtk-dev)");
}

} // namespace sd

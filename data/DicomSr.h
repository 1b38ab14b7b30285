// Results as DICOM Structured Reports: a Comprehensive SR (PS3.3 A.35.3) for each record.
#pragma once

#include "data/Results.h"

namespace sd {

// A DICOM file. In it are the record's identifier, its findings, classes or values with units, whether they are valid,
// and what they are from. Of a record that was a DICOM file the report is in the same study, with the same patient, and
// refers to the image. `number` is the record's in the run, from 0. The same report gives the same bytes.
// Error: this build has no DCMTK (hasDicom() of Image.h).
Expected<std::string> renderDicomSr(const ReportFacts &facts, const ReportedRecord &record, std::size_t number);

} // namespace sd

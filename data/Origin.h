// Where a record is from, for reports that refer to it.
#pragma once

#include <optional>
#include <string>

namespace sd {

// Of a DICOM file: who and what it shows. Each may be empty; texts are UTF-8.
struct DicomStudy {
  std::string patientId, patientName, birthDate, sex;
  std::string study, studyId, date, time, accession; // the study's UID first
  std::string series, sopClass, sopInstance;         // UIDs
};

struct RecordOrigin {
  std::string file;      // as it was named
  std::string thumbnail; // a PNG file; empty: none was asked for, or the record is no image
  std::optional<DicomStudy> study;
};

} // namespace sd

// Records from files of every kind: .npy, .npz, tables, PNG, JPEG, DICOM, FHIR; one, several, a folder or a pattern.
#pragma once

#include <functional>

#include "data/ImageOptions.h"
#include "data/Origin.h"
#include "runtime/vm/Columns.h"
#include "runtime/vm/Records.h"

namespace sd {

// The files that a user names: a file, "-" for the standard input, a folder (its files and those of its folders, by
// name, without hidden ones and DICOMDIR; what is no record is left out and noted), or a pattern with * ? [ in quotes.
// Errors: nothing of that name, none that fits.
Expected<std::vector<std::string>> filesIn(const std::string &name, const Note &note);

struct RecordFileOptions {
  CsvOptions tables;
  ImageOptions images;
  ColumnOptions columns; // `file` is set for each
  bool thumbnails = false;
  std::function<void(std::size_t done, std::size_t all)> progress = {}; // of files, where there are several
};

struct FileRecords : RecordTable {
  std::vector<RecordOrigin> origins; // of each record
};

// All records of an input, one after another. Images are prepared for the image that the input's schema has
// (docs/schema.md), which must be there; each is one record, with its PatientID or else its file's name as identifier.
// Of an .npz the array is taken that is named like the input, or the only one. Errors name the file; of several files
// that can't be taken, the first ones.
Expected<FileRecords> readRecordFiles(const std::vector<std::string> &names, const RecordInput &input,
                                      const RecordFileOptions &options);

} // namespace sd

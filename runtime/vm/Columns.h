// Tables to an input's records: columns found by name, missing values, identifiers.
#pragma once

#include "ir/bytecode/Schema.h"
#include "runtime/vm/TensorFile.h"

namespace sd {

struct RecordTable {
  Tensor<float> records;                // [records, elements of one], in the input's order
  std::vector<std::string> identifiers; // of each record; none if no column is one
};

struct ColumnOptions {
  std::string file; // for notes
  // Columns that identify a record, beside those that the schema declares; they must be there.
  std::vector<std::string> identifiers;
  Note note;
};

// `input` is null where nothing is said of the input. If it has columns and the table has names, each column is found
// by its name, whatever their order, and converted if its header ends in a unit that the schema knows, in brackets; a
// missing, unknown or repeated one is an error. Otherwise columns are taken by
// position, which is noted with the first few names. A missing value becomes the column's substitute; it is an error
// where there is none.
Expected<RecordTable> readColumns(CsvReader table, const InputMeaning *input, const ColumnOptions &options);

// A file of either format: columns are found as above in a table, an .npy file has no names. Errors name the file.
Expected<RecordTable> readRecordTable(const std::string &path, const CsvOptions &csv, const InputMeaning *input,
                                      ColumnOptions options);

} // namespace sd

// Tables as text: one record a line, its cells separated by commas, semicolons, tabs or what the user says.
//
// Nothing that may be meant in two ways is guessed: errors say what is unclear and which option settles it. They name
// line and column, and the column's name if there is one, but never a cell's text: it is a patient's.
#pragma once

#include <span>
#include <vector>

#include "ir/core/Tensor.h"

namespace sd {

struct CsvOptions {
  enum class Header { Auto, Yes, No };

  // What separates cells: , ; tab | or a space (several count as one). 0: what a line "sep=X" says, else the first of
  // tab, semicolon and comma that the first line holds outside quotes.
  char delimiter = 0;
  char decimal = '.'; // or ','
  // Whether the first line names the columns. Auto: if none of its cells is a number, starts like one, is but signs, or
  // says that a value is missing; the first cell may be empty then, for a column of row numbers.
  Header header = Header::Auto;
};

struct CsvCell {
  std::string text; // UTF-8, without the quotes or the blanks around it
  bool quoted = false;

  // Whether it is empty or one of the words that spreadsheets and statistics programs write where there is no value.
  bool isMissing() const;
};

// Reads a table line by line, so that each column can be taken as what it is: numbers, names of records, nothing.
class CsvReader {
public:
  // Settles encoding, delimiter and names. Errors: no text, nothing in it, a first line that may be names or numbers.
  static Expected<CsvReader> open(std::string content, const CsvOptions &options = {});

  std::size_t columns() const { return columns_; }
  const std::vector<std::string> &names() const { return names_; } // of the columns; none if the first line is a record
  const std::vector<std::string> &remarks() const { return remarks_; } // what the user should know of how it was read

  std::int64_t firstLine() const { return firstLine_; } // that of the names, or of the first record

  // Goes to the next record; false after the last one. Errors: another number of cells than in the first line, an
  // empty line that others follow, a quote that does not end.
  Expected<bool> next();

  // Of the current record.
  std::span<const CsvCell> cells() const { return cells_; }
  std::int64_t line() const { return cellsLine_; } // where it begins, from 1
  Expected<float> number(std::size_t column) const;
  std::string place(std::size_t column) const; // "line 3, column 2 ('age')"

private:
  explicit CsvReader(std::string text) : text_(std::move(text)) {}

  void chooseLineEnd();
  void readSeparatorLine();
  void chooseDelimiter();
  Expected<void> readNames();
  Expected<bool> readLine();
  Expected<void> readCell(CsvCell &cell);
  Expected<void> readQuoted(CsvCell &cell);
  bool atLineEnd() const;
  void skipBlanks();
  std::string advice(const CsvCell &cell) const;

  CsvOptions options_;
  std::string text_;
  char lineEnd_ = '\n';
  std::size_t at_ = 0;
  std::int64_t line_ = 1, cellsLine_ = 0, firstLine_ = 0; // of at_, of cells_, of the first cells
  std::size_t columns_ = 0;
  bool pending_ = false; // cells_ holds the first record, which next() has yet to give
  std::vector<std::string> names_, remarks_;
  std::vector<CsvCell> cells_;
};

struct Csv {
  Tensor<float> records;      // [lines, numbers a line]
  bool named = false;         // the first line names the columns, and is no record
  std::int64_t firstLine = 1; // where the table begins
  std::vector<std::string> remarks;
};

// All cells as numbers. A first column without a name that counts the records, from 0 or 1, is left out and remarked.
Expected<Csv> parseCsv(std::string content, const CsvOptions &options = {});

} // namespace sd

// Results for other programs and for people: CSV, JSON, one HTML page, HL7 FHIR R4, and DICOM (DicomSr.h).
#pragma once

#include <string>
#include <vector>

#include "data/Origin.h"
#include "ir/bytecode/Program.h"
#include "runtime/vm/ResultWords.h"

namespace sd {

// A cell of a table, quoted where it must be. Spreadsheets take what begins like a formula for one: a quote in front
// makes it text (OWASP, CSV injection).
std::string csvCell(std::string text);

enum class ReportFormat { Csv, Json, Html, Fhir, DicomSr };
std::string_view endingOf(ReportFormat format); // of a file's name: ".fhir.json"

struct ReportedRecord {
  std::string id; // PatientID, file name or column; else its number, from 1
  bool valid = true;
  std::string problem; // of a record that is not valid
  std::vector<ResultCell> cells;
  RecordOrigin origin = {};
};

// How results come about, in words.
inline constexpr std::string_view kReportMethod = "sdc: two-party computation; the service did not see the record";

// What holds for all records of a run.
struct ReportFacts {
  std::string model, version, digest; // the digest in hex
  std::string service;                // whom the results are from: the name that its certificate shows, or an address
  std::string time;                   // UTC, "2026-01-31T12:00:00Z"
  std::string ranges;                 // how the program's bounds were established
};

// Of a program whose digest is `digest`; no service and no time yet.
ReportFacts factsOf(const Program &program, const Digest &digest);

// The whole report, in any format but DicomSr, which has a file for each record. Records that are not valid have no
// values in it. FHIR: a Bundle (collection) with a DiagnosticReport for each record and an Observation for each class,
// finding or value. The same report gives the same bytes.
std::string renderReport(ReportFormat format, const ReportFacts &facts, const std::vector<ReportedRecord> &records);

} // namespace sd

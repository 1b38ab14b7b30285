#include "data/DicomSr.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmsr/dsrdoc.h>
#include <fmt/chrono.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "ir/bytecode/Digest.h"

namespace sd {

namespace {

constexpr std::size_t kLongText = 64; // characters of a DICOM LO
constexpr std::size_t kShortText = 16;

constexpr std::string_view kScheme = "99SDC"; // of our own codes, as PS3.3 8.2 has private schemes begin

// Units that UCUM (the units of SR, PS3.16 CID 82) knows, where it may write them otherwise.
constexpr std::array<std::pair<std::string_view, std::string_view>, 33> kUnits = {{
    {"%", "%"},         {"mm", "mm"},       {"cm", "cm"},       {"m", "m"},           {"mm2", "mm2"},
    {"cm2", "cm2"},     {"mm3", "mm3"},     {"cm3", "cm3"},     {"ml", "ml"},         {"mL", "mL"},
    {"l", "l"},         {"L", "L"},         {"g", "g"},         {"mg", "mg"},         {"kg", "kg"},
    {"kg/m2", "kg/m2"}, {"g/ml", "g/ml"},   {"g/mL", "g/mL"},   {"g/l", "g/l"},       {"g/L", "g/L"},
    {"g/dL", "g/dL"},   {"mg/dL", "mg/dL"}, {"mg/dl", "mg/dl"}, {"mmol/l", "mmol/l"}, {"mmol/L", "mmol/L"},
    {"mmHg", "mm[Hg]"}, {"1/min", "/min"},  {"ms", "ms"},       {"s", "s"},           {"years", "a"},
    {"IU/L", "[IU]/L"}, {"U/L", "U/L"},     {"mV", "mV"},
}};

// UTF-8 without what separates or ends values, of so many characters.
std::string textOf(const std::string &given, std::size_t most) {
  const auto json = nlohmann::json(given).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  auto text = nlohmann::json::parse(json).get<std::string>();
  std::size_t characters = 0, end = 0;
  for (; end < text.size(); ++end) {
    const auto byte = static_cast<unsigned char>(text[end]);
    if ((byte & 0xC0) != 0x80 && ++characters > most) break;
    if (byte == '\\') text[end] = '/';
    if (byte < 32 || byte == 127) text[end] = ' ';
  }
  text.resize(end);
  while (text.ends_with(' '))
    text.pop_back();
  text.erase(0, text.find_first_not_of(' '));
  return text;
}
std::string longText(const std::string &text) { return textOf(text, 4000); }

// A UID under 2.25 (ITU-T X.667), from a hash of the text.
std::string uidOf(const std::string &text) {
  const Digest digest = sha256({{reinterpret_cast<const std::uint8_t *>(text.data()), text.size()}});
  std::array<std::uint8_t, 16> number{};
  std::copy_n(digest.begin(), number.size(), number.begin());
  number[6] = static_cast<std::uint8_t>((number[6] & 0x0F) | 0x80); // a UUID of version 8: of our own making
  number[8] = static_cast<std::uint8_t>((number[8] & 0x3F) | 0x80);
  std::string digits;
  while (std::ranges::any_of(number, [](std::uint8_t byte) { return byte != 0; })) {
    unsigned rest = 0;
    for (std::uint8_t &byte : number) {
      const unsigned value = rest << 8 | byte;
      byte = static_cast<std::uint8_t>(value / 10), rest = value % 10;
    }
    digits += static_cast<char>('0' + rest);
  }
  std::ranges::reverse(digits);
  return "2.25." + digits;
}

// "2026-01-31T12:00:00.123Z" as DICOM writes it: in UTC, and as this machine's clock shows it, as other dates of a
// study are.
struct Moment {
  std::string utc, date, time;
  explicit Moment(const std::string &text) {
    std::tm fields{};
    if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &fields) == nullptr) return;
    const std::time_t seconds = ::timegm(&fields);
    utc = fmt::format("{:%Y%m%d%H%M%S}", fields);
    ::localtime_r(&seconds, &fields);
    date = fmt::format("{:%Y%m%d}", fields);
    time = fmt::format("{:%H%M%S}", fields);
  }
};

DSRCodedEntryValue code(std::string_view value, std::string_view scheme, const std::string &meaning) {
  return DSRCodedEntryValue(OFString(std::string(value).c_str()), OFString(std::string(scheme).c_str()),
                            OFString(textOf(meaning, kLongText).c_str()));
}
DSRCodedEntryValue own(std::string_view value, const std::string &meaning) { return code(value, kScheme, meaning); }

DSRCodedEntryValue unitOf(const std::string &unit) {
  if (unit.empty()) return code("1", "UCUM", "no units");
  const auto known = std::ranges::find(kUnits, unit, &std::pair<std::string_view, std::string_view>::first);
  if (known != kUnits.end()) return code(known->second, "UCUM", unit);
  return own(textOf(unit, kShortText) == unit ? unit : "UNIT", unit);
}

class Report {
public:
  Report(const ReportFacts &facts, const ReportedRecord &record, std::size_t number)
      : facts_(facts), record_(record), time_(facts.time),
        key_(fmt::format("{} {} {} {} {}", facts.digest, facts.time, facts.service, number, record.id)) {}

  Expected<std::string> render() {
    take(document_.createNewDocument(DSRTypes::DT_ComprehensiveSR));
    take(document_.setSpecificCharacterSetType(DSRTypes::CS_UTF8));
    setHeader();
    fillTree();
    take(document_.setCompletionFlagDescription(record_.valid ? "" : "there is no valid result"));
    if (record_.valid) take(document_.completeDocument());
    DcmFileFormat file;
    if (condition_.good()) take(document_.write(*file.getDataset()));
    if (condition_.good()) setIdentity(*file.getDataset());
    std::string bytes;
    if (condition_.good()) bytes = written(file);
    if (condition_.bad()) return fail("the structured report of record '{}': {}", record_.id, condition_.text());
    return bytes;
  }

private:
  void take(const OFCondition &condition) {
    if (condition_.good()) condition_ = condition;
  }

  void setHeader() {
    const DicomStudy study = record_.origin.study.value_or(DicomStudy{});
    take(document_.createNewSeriesInStudy((isUid(study.study) ? study.study : uidOf(key_ + " study")).c_str()));
    take(document_.setPatientID(textOf(study.patientId.empty() ? record_.id : study.patientId, kLongText).c_str()));
    const auto set = [&](const std::string &text, auto setter) {
      if (!text.empty()) static_cast<void>((document_.*setter)(text.c_str(), OFTrue)); // left out if it is not valid
    };
    set(study.patientName, &DSRDocument::setPatientName);
    set(study.birthDate, &DSRDocument::setPatientBirthDate);
    set(study.sex, &DSRDocument::setPatientSex);
    set(study.studyId, &DSRDocument::setStudyID);
    set(study.date.empty() ? time_.date : study.date, &DSRDocument::setStudyDate);
    set(study.time.empty() ? time_.time : study.time, &DSRDocument::setStudyTime);
    set(study.accession, &DSRDocument::setAccessionNumber);
    set(time_.date, &DSRDocument::setContentDate);
    set(time_.time, &DSRDocument::setContentTime);
    take(document_.setManufacturer("sdc"));
    take(document_.setManufacturerModelName(textOf(modelName(), kLongText).c_str()));
    take(document_.setSeriesDescription(textOf("Results of " + modelName(), kLongText).c_str()));
    if (hasImage())
      take(document_.getCurrentRequestedProcedureEvidence().addItem(study.study.c_str(), study.series.c_str(),
                                                                    study.sopClass.c_str(), study.sopInstance.c_str()));
  }

  static bool isUid(const std::string &text) {
    return !text.empty() && DcmUniqueIdentifier::checkStringValue(text.c_str(), "1").good();
  }

  // One that can be referred to; files in use have identifiers that DICOM does not allow, or none.
  bool hasImage() const {
    const auto &study = record_.origin.study;
    return study && isUid(study->study) && isUid(study->series) && isUid(study->sopClass) && isUid(study->sopInstance);
  }

  std::string modelName() const { return facts_.model.empty() ? "a model without a name" : facts_.model; }

  // Below the current item, and current until up().
  void add(DSRTypes::E_RelationshipType relation, DSRTypes::E_ValueType type, const DSRCodedEntryValue &what) {
    const auto mode = relation == DSRTypes::RT_isRoot ? DSRTypes::AM_afterCurrent : DSRTypes::AM_belowCurrent;
    if (document_.getTree().addContentItem(relation, type, mode) == 0) take(SR_EC_InvalidDocumentTree);
    take(document_.getTree().getCurrentContentItem().setConceptName(what));
  }
  void up() { document_.getTree().goUp(); }

  void text(const DSRCodedEntryValue &what, const std::string &value,
            DSRTypes::E_RelationshipType relation = DSRTypes::RT_contains) {
    if (value.empty()) return;
    add(relation, DSRTypes::VT_Text, what);
    take(document_.getTree().getCurrentContentItem().setStringValue(longText(value).c_str()));
    up();
  }

  void yesOrNo(const DSRCodedEntryValue &what, bool value, DSRTypes::E_RelationshipType relation) {
    add(relation, DSRTypes::VT_Code, what);
    take(document_.getTree().getCurrentContentItem().setCodeValue(value ? code("373066001", "SCT", "Yes")
                                                                        : code("373067005", "SCT", "No")));
    up();
  }

  void fillTree() {
    add(DSRTypes::RT_isRoot, DSRTypes::VT_Container,
        hasImage() ? code("18748-4", "LN", "Diagnostic imaging report") : own("REPORT", "Results of a model"));
    if (condition_.bad()) return;
    addObserver();
    text(own("ID", "Identifier of the record"), record_.id);
    yesOrNo(own("VALID", "Valid result"), record_.valid, DSRTypes::RT_contains);
    if (!record_.valid) text(own("PROBLEM", "Why there is no valid result"), record_.problem);
    for (const ResultCell &cell : record_.cells)
      addCell(cell);
    if (hasImage())
      addImage(*record_.origin.study);
    else if (record_.origin.study)
      text(own("NOTE", "Note"),
           "the image is not referred to: it has not all of DICOM's identifiers, or not valid ones");
    text(own("MODEL", "Model"), modelName());
    text(own("VERSION", "Version of the model"), facts_.version);
    text(own("PROGRAM", "SHA-256 of the program"), facts_.digest);
    text(own("SERVICE", "Service"), facts_.service);
    text(own("RANGES", "How ranges were established"), facts_.ranges);
    text(own("METHOD", "Method"), std::string(kReportMethod));
    add(DSRTypes::RT_contains, DSRTypes::VT_DateTime, own("TIME", "Time of the computation, UTC"));
    take(document_.getTree().getCurrentContentItem().setStringValue(time_.utc.c_str()));
    up();
  }

  // Who says so is a device (PS3.16, TID 1002 and 1004).
  void addObserver() {
    add(DSRTypes::RT_hasObsContext, DSRTypes::VT_Code, code("121005", "DCM", "Observer Type"));
    take(document_.getTree().getCurrentContentItem().setCodeValue(code("121007", "DCM", "Device")));
    up();
    add(DSRTypes::RT_hasObsContext, DSRTypes::VT_UIDRef, code("121012", "DCM", "Device Observer UID"));
    take(document_.getTree().getCurrentContentItem().setStringValue(uidOf(facts_.digest).c_str()));
    up();
    text(code("121013", "DCM", "Device Observer Name"), modelName(), DSRTypes::RT_hasObsContext);
  }

  void addCell(const ResultCell &cell) {
    add(DSRTypes::RT_contains, DSRTypes::VT_Text, code("121071", "DCM", "Finding"));
    const std::string name = longText(cell.name.empty() ? cell.output : cell.name);
    take(document_.getTree().getCurrentContentItem().setStringValue(name.empty() ? "-" : name.c_str()));
    if (cell.value) {
      add(DSRTypes::RT_hasProperties, DSRTypes::VT_Num,
          cell.holds ? own("PROBABILITY", "Probability") : own("VALUE", "Value"));
      take(document_.getTree().getCurrentContentItem().setNumericValue(
          DSRNumericMeasurementValue(decimal(*cell.value).c_str(), unitOf(cell.unit))));
      up();
    }
    if (cell.holds) yesOrNo(own("HOLDS", "Present, or the class chosen"), *cell.holds, DSRTypes::RT_hasProperties);
    up();
  }

  // At most 16 characters (DS); 9 digits are all of a float.
  static std::string decimal(double value) { return fmt::format("{:.9g}", value); }

  void addImage(const DicomStudy &study) {
    add(DSRTypes::RT_contains, DSRTypes::VT_Image, code("121112", "DCM", "Source of Measurement"));
    take(document_.getTree().getCurrentContentItem().setImageReference(
        DSRImageReferenceValue(study.sopClass.c_str(), study.sopInstance.c_str(), OFFalse), OFFalse));
    up();
  }

  // DCMTK draws UIDs and times; ours are a function of the report.
  void setIdentity(DcmDataset &data) {
    const auto put = [&](const DcmTagKey &tag, const std::string &text) {
      take(data.putAndInsertString(tag, text.c_str()));
    };
    put(DCM_SeriesInstanceUID, uidOf(key_ + " series"));
    put(DCM_SOPInstanceUID, uidOf(key_ + " report"));
    put(DCM_InstanceCreationDate, time_.date);
    put(DCM_InstanceCreationTime, time_.time);
    put(DCM_SoftwareVersions, textOf(facts_.version.empty() ? facts_.digest : facts_.version, kLongText));
  }

  std::string written(DcmFileFormat &file) {
    std::string bytes;
    std::vector<char> buffer(1 << 16);
    DcmOutputBufferStream stream(buffer.data(), static_cast<offile_off_t>(buffer.size()));
    file.transferInit();
    OFCondition condition = EC_StreamNotifyClient;
    while (condition == EC_StreamNotifyClient) {
      condition = file.write(stream, EXS_LittleEndianExplicit, EET_ExplicitLength, nullptr);
      void *part = nullptr;
      offile_off_t length = 0;
      stream.flushBuffer(part, length);
      bytes.append(static_cast<const char *>(part), static_cast<std::size_t>(length));
    }
    file.transferEnd();
    take(condition);
    return bytes;
  }

  const ReportFacts &facts_;
  const ReportedRecord &record_;
  const Moment time_;
  const std::string key_;
  DSRDocument document_;
  OFCondition condition_ = EC_Normal;
};

} // namespace

Expected<std::string> renderDicomSr(const ReportFacts &facts, const ReportedRecord &record, std::size_t number) {
  OFLog::configure(OFLogger::OFF_LOG_LEVEL); // errors are given back
  try {
    return Report(facts, record, number).render();
  } catch (const std::exception &error) {
    return fail("the structured report of record '{}': {}", record.id, error.what());
  }
}

} // namespace sd

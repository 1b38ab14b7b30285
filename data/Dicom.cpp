#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmimage/diregist.h>
#include <dcmtk/dcmimgle/dcmimage.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "data/Image.h"
#include "ir/bytecode/ByteIo.h"

namespace sd {

namespace {

constexpr std::size_t kShown = 64; // bytes of a text from the file

void prepareLibrary() {
  static std::once_flag once;
  std::call_once(once, [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL); // errors are given back, not written to stderr
    DcmRLEDecoderRegistration::registerCodecs();
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
  });
}

std::string textOf(DcmItem &item, const DcmTagKey &tag) {
  OFString text;
  if (item.findAndGetOFString(tag, text).bad()) return "";
  std::string_view plain(text.c_str(), text.size());
  while (plain.ends_with(' ') || plain.ends_with('\0'))
    plain.remove_suffix(1);
  return plainText(std::string(plain), kShown);
}

// `other` where the file does not say.
std::int64_t numberOf(DcmItem &item, const DcmTagKey &tag, std::int64_t other) {
  Uint16 value = 0;
  return item.findAndGetUint16(tag, value).good() ? value : other;
}
std::optional<double> realOf(DcmItem &item, const DcmTagKey &tag) {
  Float64 value = 0;
  if (item.findAndGetFloat64(tag, value).bad() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// How the file's integers are to be read.
struct Stored {
  std::int64_t height = 0, width = 0, allocated = 0, bits = 0, shift = 0;
  bool isSigned = false;

  std::int64_t valueOf(unsigned word) const {
    const unsigned value = word >> shift & ((1U << bits) - 1);
    if (isSigned && (value >> (bits - 1) & 1) != 0) return std::int64_t{value} - (std::int64_t{1} << bits);
    return value;
  }
  std::int64_t least() const { return isSigned ? -(std::int64_t{1} << (bits - 1)) : 0; }
  std::int64_t most() const { return (std::int64_t{1} << (isSigned ? bits - 1 : bits)) - 1; }
};

class File {
public:
  explicit File(const ImageMeaning &meaning) : meaning_(meaning) {}

  Expected<ImageFile> read(std::string_view content) {
    SD_TRY(parse(content));
    SD_TRY(checkKind());
    const std::string photometric = textOf(*data_, DCM_PhotometricInterpretation);
    const bool grey = photometric == "MONOCHROME1" || photometric == "MONOCHROME2";
    if (!grey && photometric != "RGB" && photometric != "PALETTE COLOR" && !photometric.starts_with("YBR_"))
      return fail("its photometric interpretation is '{}', which is not known", photometric);
    if (const auto &wanted = meaning_.photometrics;
        !wanted.empty() && std::ranges::find(wanted, photometric) == wanted.end())
      return fail("its photometric interpretation is '{}', and the program takes {}", photometric,
                  fmt::join(wanted, ", "));
    SD_TRY(checkColour(!grey, meaning_));
    SD_TRY(readShape(grey));
    SD_TRY(decompress());
    ImageFile file{{}, study()};
    if (!grey) {
      SD_ASSIGN(file.image, colour());
      return file;
    }
    SD_ASSIGN(file.image, greys());
    if (photometric == "MONOCHROME1")
      for (float &light : file.image.light)
        light = 1 - light;
    return file;
  }

private:
  Expected<void> parse(std::string_view content) {
    DcmInputBufferStream stream;
    stream.setBuffer(content.data(), static_cast<offile_off_t>(content.size()));
    stream.setEos();
    format_.transferInit();
    const OFCondition condition = format_.read(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength);
    format_.transferEnd();
    if (condition.bad()) return fail("a damaged DICOM file, or none: {}", plainText(condition.text(), 200));
    data_ = format_.getDataset();
    if (data_ == nullptr || data_->card() == 0) return fail("a DICOM file without a data set, or none");
    static_cast<void>(data_->convertToUTF8()); // names; what can't be converted stays as it is
    return {};
  }

  Expected<void> checkKind() {
    const std::string modality = textOf(*data_, DCM_Modality);
    const auto &wanted = meaning_.modalities;
    if (!wanted.empty() && std::ranges::find(wanted, modality) == wanted.end())
      return fail("its modality is {}, and the program takes {}",
                  modality.empty() ? "not said" : fmt::format("'{}'", modality), fmt::join(wanted, ", "));
    if (!data_->tagExistsWithValue(DCM_PixelData))
      return fail("it has no pixels{}", modality.empty() ? "" : fmt::format(" (modality '{}')", modality));
    Sint32 frames = 1;
    if (data_->tagExistsWithValue(DCM_NumberOfFrames) &&
        (data_->findAndGetSint32(DCM_NumberOfFrames, frames).bad() || frames != 1))
      return fail("it holds {} images (frames), and the program takes one: extract the one that is meant", frames);
    return {};
  }

  DicomStudy study() const {
    DicomStudy study;
    const auto take = [&](std::string &to, const DcmTagKey &tag) { to = textOf(*data_, tag); };
    take(study.patientId, DCM_PatientID), take(study.patientName, DCM_PatientName);
    take(study.birthDate, DCM_PatientBirthDate), take(study.sex, DCM_PatientSex);
    take(study.study, DCM_StudyInstanceUID), take(study.studyId, DCM_StudyID);
    take(study.date, DCM_StudyDate), take(study.time, DCM_StudyTime);
    take(study.accession, DCM_AccessionNumber);
    take(study.series, DCM_SeriesInstanceUID);
    take(study.sopClass, DCM_SOPClassUID), take(study.sopInstance, DCM_SOPInstanceUID);
    return study;
  }

  Expected<void> readShape(bool grey) {
    stored_.height = numberOf(*data_, DCM_Rows, 0), stored_.width = numberOf(*data_, DCM_Columns, 0);
    SD_TRY(checkPixels(stored_.height, stored_.width));
    stored_.allocated = numberOf(*data_, DCM_BitsAllocated, 0);
    stored_.bits = numberOf(*data_, DCM_BitsStored, stored_.allocated);
    const std::int64_t high = numberOf(*data_, DCM_HighBit, stored_.bits - 1);
    stored_.shift = high + 1 - stored_.bits;
    stored_.isSigned = numberOf(*data_, DCM_PixelRepresentation, 0) == 1;
    const std::int64_t samples = numberOf(*data_, DCM_SamplesPerPixel, 1);
    if (stored_.allocated != 8 && stored_.allocated != 16)
      return fail("its pixels have {} bits; 8 and 16 are read", stored_.allocated);
    if (stored_.bits < 1 || stored_.shift < 0 || high >= stored_.allocated)
      return fail("a damaged DICOM file: {} of {} bits are used, up to bit {}", stored_.bits, stored_.allocated, high);
    if (grey ? samples != 1 : samples != 1 && samples != 3)
      return fail("a damaged DICOM file: {} samples a pixel", samples);
    return {};
  }

  Expected<void> decompress() {
    const E_TransferSyntax syntax = data_->getOriginalXfer();
    if (data_->chooseRepresentation(EXS_LittleEndianExplicit, nullptr).good() &&
        data_->canWriteXfer(EXS_LittleEndianExplicit))
      return {};
    const std::string name = plainText(DcmXfer(syntax).getXferName(), kShown);
    const bool isKnown = syntax != EXS_JPEG2000 && syntax != EXS_JPEG2000LosslessOnly;
    return isKnown ? fail("its pixels are damaged, or compressed in a way that is not read ({})", name)
                   : fail("its pixels are compressed as {}, which is not read: decompress it first, such as by "
                          "'gdcmconv --raw'",
                          name);
  }

  // Values to light: slope and intercept, then the window.
  Expected<Image> greys() {
    if (data_->tagExistsWithValue(DCM_ModalityLUTSequence) && meaning_.rescale != RescaleUse::Ignored)
      return fail(
          "it has a table of values (Modality LUT Sequence) in the place of slope and intercept; apply it first, "
          "such as by 'dcmj2pnm +Mm'");
    const auto pixels = static_cast<std::size_t>(stored_.height * stored_.width);
    std::vector<double> values;
    SD_TRY(readValues(pixels, values));
    const RescaleUse use = meaning_.rescale.value_or(RescaleUse::File);
    const bool isIgnored = use == RescaleUse::Ignored;
    const auto given = [&](const DcmTagKey &tag) { return isIgnored ? std::nullopt : realOf(*data_, tag); };
    const auto slopeGiven = given(DCM_RescaleSlope), interceptGiven = given(DCM_RescaleIntercept);
    if (use == RescaleUse::Required && !(slopeGiven && interceptGiven))
      return fail("it has no rescale slope and intercept, which the program needs");
    const double slope = slopeGiven.value_or(1), intercept = interceptGiven.value_or(0);
    if (slope == 0) return fail("a damaged DICOM file: its rescale slope is 0");
    for (double &value : values)
      value = value * slope + intercept;
    const double a = static_cast<double>(stored_.least()) * slope + intercept,
                 b = static_cast<double>(stored_.most()) * slope + intercept;
    SD_ASSIGN(const ValueRange window, windowOf(values, {std::min(a, b), std::max(a, b)}));
    Image image{stored_.height, stored_.width, 1, {}};
    image.light.reserve(pixels);
    const double width = window.high - window.low;
    for (const double value : values)
      image.light.push_back(static_cast<float>(width > 0 ? std::clamp((value - window.low) / width, 0.0, 1.0) : 0));
    return image;
  }

  Expected<void> readValues(std::size_t pixels, std::vector<double> &values) {
    const Uint8 *bytes = nullptr;
    const Uint16 *words = nullptr;
    unsigned long count = 0;
    const bool narrow = stored_.allocated == 8;
    const OFCondition got = narrow ? data_->findAndGetUint8Array(DCM_PixelData, bytes, &count)
                                   : data_->findAndGetUint16Array(DCM_PixelData, words, &count);
    if (got.bad() || count < pixels || (narrow ? bytes == nullptr : words == nullptr))
      return fail("a damaged DICOM file: it holds {} of {} pixels", got.bad() ? 0 : count, pixels);
    values.reserve(pixels);
    for (std::size_t i = 0; i < pixels; ++i)
      values.push_back(static_cast<double>(stored_.valueOf(narrow ? bytes[i] : words[i])));
    return {};
  }

  Expected<ValueRange> windowOf(const std::vector<double> &values, ValueRange all) {
    const ImageWindow window = meaning_.window.value_or(ImageWindow{});
    switch (window.kind) {
    case WindowKind::Stored:
      return all;
    case WindowKind::Fixed:
      return window.range;
    case WindowKind::Image: {
      const auto [least, most] = std::ranges::minmax_element(values);
      return ValueRange{*least, *most};
    }
    case WindowKind::File:
      break;
    }
    const auto center = realOf(*data_, DCM_WindowCenter), width = realOf(*data_, DCM_WindowWidth);
    if (!center || !width || *width < 1) return fail("the file has no window (window 'file')");
    const std::string function = textOf(*data_, DCM_VOILUTFunction);
    if (function == "LINEAR_EXACT") return ValueRange{*center - *width / 2, *center + *width / 2};
    if (!function.empty() && function != "LINEAR") return fail("its window is a {}, which is not read", function);
    return ValueRange{*center - 0.5 - (*width - 1) / 2, *center - 0.5 + (*width - 1) / 2};
  }

  // Palettes, YBR and planes are DCMTK's own business.
  Expected<Image> colour() {
    DicomImage picture(data_, EXS_LittleEndianExplicit, CIF_MayDetachPixelData);
    if (picture.getStatus() != EIS_Normal)
      return fail("a damaged DICOM file: {}", DicomImage::getString(picture.getStatus()));
    const bool wide = picture.getDepth() > 8;
    const void *output = picture.getOutputData(wide ? 16 : 8);
    const auto values = static_cast<std::size_t>(stored_.height * stored_.width * 3);
    if (output == nullptr || picture.isMonochrome() || picture.getOutputDataSize() < values * (wide ? 2 : 1))
      return fail("a damaged DICOM file: it holds too few pixels");
    Image image{stored_.height, stored_.width, 3, {}};
    image.light.reserve(values);
    for (std::size_t i = 0; i < values; ++i)
      image.light.push_back(wide ? static_cast<float>(static_cast<const Uint16 *>(output)[i]) / 65535.0f
                                 : static_cast<float>(static_cast<const Uint8 *>(output)[i]) / 255.0f);
    return image;
  }

  const ImageMeaning &meaning_;
  DcmFileFormat format_;
  DcmDataset *data_ = nullptr; // format_'s
  Stored stored_;
};

} // namespace

bool hasDicom() { return true; }

Expected<ImageFile> readDicom(std::string_view content, const ImageMeaning &meaning) {
  prepareLibrary();
  try {
    return File(meaning).read(content);
  } catch (const std::exception &error) {
    return fail("a damaged DICOM file: {}", plainText(error.what(), kShown));
  }
}

} // namespace sd

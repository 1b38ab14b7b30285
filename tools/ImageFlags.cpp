#include "tools/ImageFlags.h"

#include <CLI/CLI.hpp>
#include <map>

namespace sd {

void addImageFlags(CLI::App &app, ImageOptions &options) {
  static const std::map<std::string, ImageFit> fits = {
      {"stretch", ImageFit::Stretch}, {"crop", ImageFit::Crop}, {"pad", ImageFit::Pad}};
  app.add_option_function<std::string>(
         "--window",
         [&options](const std::string &text) {
           const auto window = parseWindow(text);
           if (!window) throw CLI::ValidationError("--window", window.error().message);
           options.window = *window;
         },
         "which values of a DICOM file are black and white: all that its bits can hold (stored), its own window "
         "(file), "
         "its least and largest value (image), or LO to HI, such as -1000,400; default: what the program says, or "
         "stored")
      ->type_name("stored|file|image|LO,HI");
  app.add_option_function<std::string>(
         "--modality", [&options](const std::string &text) { options.modalities = CLI::detail::split(text, ','); },
         "refuse DICOM files of other modalities")
      ->type_name("CR,DX,...");
  app.add_option_function<std::string>(
         "--fit",
         [&options](const std::string &text) {
           const auto found = fits.find(text);
           if (found == fits.end()) throw CLI::ValidationError("--fit", "stretch, crop or pad, not '" + text + "'");
           options.fit = found->second;
         },
         "how an image gets the program's form: stretched, its middle cut out (crop), or with black around (pad); "
         "default: what the program says, or stretch")
      ->type_name("stretch|crop|pad");
}

} // namespace sd

#include "tools/TableOptions.h"

#include <CLI/CLI.hpp>
#include <map>

namespace sd {

void addTableOptions(CLI::App &app, CsvOptions &options) {
  using Header = CsvOptions::Header;
  static const std::map<std::string, char> delimiters = {{"comma", ','}, {",", ','},   {"semicolon", ';'}, {";", ';'},
                                                         {"tab", '\t'},  {"\t", '\t'}, {"bar", '|'},       {"|", '|'},
                                                         {"space", ' '}, {" ", ' '}};
  static const std::map<std::string, Header> headers = {{"yes", Header::Yes}, {"no", Header::No}};
  app.add_option_function<std::string>(
         "--delimiter",
         [&options](const std::string &text) {
           const auto found = delimiters.find(text);
           if (found == delimiters.end())
             throw CLI::ValidationError("--delimiter", "one of , ; tab | space, not '" + text + "'");
           options.delimiter = found->second;
         },
         "what separates the cells of a table: , ; tab | space; default: as its first line shows")
      ->type_name("C");
  app.add_option_function<std::string>(
         "--decimal",
         [&options](const std::string &text) {
           if (text != "," && text != ".")
             throw CLI::ValidationError("--decimal", "a point or a comma, not '" + text + "'");
           options.decimal = text[0];
         },
         "decimal sign of a table's numbers: . or ,")
      ->type_name("C")
      ->default_str(".");
  app.add_option_function<std::string>(
         "--header",
         [&options](const std::string &text) {
           const auto found = headers.find(text);
           if (found == headers.end()) throw CLI::ValidationError("--header", "yes or no, not '" + text + "'");
           options.header = found->second;
         },
         "whether the first line of a table names its columns; default: as it shows")
      ->type_name("yes|no");
}

} // namespace sd

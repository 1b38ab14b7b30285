// Which file of a command line is which of a program's inputs or outputs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/core/Error.h"

namespace sd {

// A flag that takes [NAME=]FILE, once for each of several things.
struct NamedFileFlag {
  std::string flag; // "--input"
  std::string what; // "input": what the names are names of
  std::vector<std::string> names;
};

// Files by name. Since paths may hold '=' too, only one that follows a name of `names` ends a name. Errors: what may be
// meant in two ways, or names neither a file nor one of `names`; a name given twice.
Expected<std::map<std::string, std::string>> filesByName(const std::vector<std::string> &texts,
                                                         const NamedFileFlag &flag);
// The same where a name may be given several files, which follow one another; each once.
Expected<std::map<std::string, std::vector<std::string>>> fileListsByName(const std::vector<std::string> &texts,
                                                                          const NamedFileFlag &flag);

} // namespace sd

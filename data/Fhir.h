// HL7 FHIR R4 Observations (JSON) to an input's records.
#pragma once

#include <string_view>

#include "runtime/vm/Columns.h"
#include "runtime/vm/Records.h"

namespace sd {

// Whether the first bytes of a file are those of a JSON object that names its resourceType.
bool isFhir(std::string_view content);

// One record for each Patient of a Bundle's Observations, in the order in which they first come, with the patient's
// first identifier, or its id. Patients are the same if an identifier's system and value are, or the whole reference.
// Observations and their components are matched to the input's columns by code, and brought to the column's unit as its
// schema says; those with other codes, and those that are not final, are left out, which is noted. Of several the
// latest one is taken, which is noted; an error where their times don't tell. A missing value becomes the column's
// substitute. Errors name the entry, and never what a value is: no JSON, columns without codes, units that the schema
// does not know, values that are no number or a bound (`<`), missing values without a substitute.
Expected<RecordTable> readFhir(std::string_view content, const RecordInput &input, const ColumnOptions &options);

} // namespace sd

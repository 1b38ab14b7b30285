// The part of sdc._sdc that reads records from files and writes results as reports.
#pragma once

#include <pybind11/pybind11.h>

#include "api/sdc.h"

void bindFiles(pybind11::class_<sdc::Program> &program);

// One compilation from a model's file to a program, with all there is to say on the way: what `sdc` and the library do
// alike. Nothing is printed here.
#pragma once

#include <functional>

#include "compiler/Compile.h"
#include "compiler/ErrorEstimate.h"
#include "compiler/Trial.h"
#include "compiler/codegen/Codegen.h"

namespace sd {

enum class Said : std::uint8_t { Remark, Warning, Text }; // Text: lines for people, each with its line end

// Who hears what there is to say, and how they name what else they could ask for.
struct JobListener {
  std::function<void(Said, const std::string &)> say;
  std::function<std::string()> tune; // what searches settings on records: "sdc tune net.onnx --data X.npy"
  // What compiles with other settings, and with input ranges that were not declared, as flags.
  std::function<std::string(const std::vector<std::string> &declared, const Settings &)> compile;
  std::string acceptError; // what writes a program that is far from the model: "--accept-error"
  std::function<void(std::size_t done, std::size_t all)> comparing = {}; // calibration records with the floats
};

// A model on its way: the options of its passes, and what they left behind.
struct Job {
  Module imported; // nn level, as the model has it
  Schema schema;   // of its inputs and outputs
  Module module;   // after the passes
  PassContext context;
  std::vector<Record> calibration; // what context.options points to
  bool comparesFloats = true;      // they are, on records of a later step: less is said without these
  bool keepsFloats = false;        // else, if not compared, `imported` may lose its constants before the passes run
  std::optional<ErrorEstimate> estimate; // of a whole compilation without calibration
};

struct JobRequest {
  std::string path;
  ModelOptions model;                            // remarks and facts are the job's
  int bound = 0;                                 // PassOptions::boundBits; 0: not given
  std::string schemaName;                        // in errors
  std::function<Expected<std::string>()> schema; // JSON; null: none is given
  // Of the loaded model, with its schema; null: none are given.
  std::function<Expected<std::vector<Record>>(const Job &)> calibration;
};

// Reads the model, its schema and the calibration records. `job.context.options` holds the other options.
Expected<void> loadJob(const JobRequest &request, Job &job);

// Runs the passes and says what they found; after the whole pipeline also how far off results may be, and what other
// settings would give. `job.module` is the result.
Expected<void> lowerJob(const LowerOptions &options, Job &job, const JobListener &listener);

// Of a job whose whole pipeline has run: refuses what is too far from the floats on the calibration records, unless
// `acceptError`; says what hospitals learn. Takes the module apart, and the floats, unless job.keepsFloats.
Expected<Compiled> generateProgram(Job &job, bool acceptError, const JobListener &listener);

// What approximates the model's smooth functions, and how well, a line each; empty if there are none.
std::string describeApproximations(const std::vector<Approximation> &approximations);

// How many records were measured, and the ranges that they come closest to leaving, a line each.
std::string describeCalibration(const PassContext &context);

} // namespace sd

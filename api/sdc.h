// sdc as a library: compile a model, check it against its floats, run both parties, or be one of them. This header
// includes the standard library alone; whoever links sdc::sdc needs no other of the project's headers.
//
//   sdc::Program program = sdc::Program::compile("model.onnx", {.scale = 1024, .inputRange = {{0, 1}}});
//   sdc::Result result = program.runLocal({{"", {{4, 30}, values}}});   // 4 records of 30 columns
//   program.save("model.sdb");                                          // and model.sdw, the service's weights
//
// Everything that can fail throws sdc::Error. Objects may be used from several threads at once, unless said otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sdc {

// The exit codes of the tools.
enum class ErrorKind : std::uint8_t {
  Resources = 1, // memory, threads or descriptors ran out
  Usage = 2,     // an option, or a call at the wrong time
  Input = 3,     // a file, model, program or record is not as it must be
  Output = 4,    // a file can't be written
  Network = 5,   // no peer was reached, or the link to it was lost or too slow
  Refused = 6,   // the peer ended the session, and said why
  Invalid = 7,
  Interrupted = 8, // Cancel asked for the end
};

class Error : public std::runtime_error {
public:
  Error(ErrorKind kind, const std::string &message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

private:
  ErrorKind kind_;
};

// Values in row-major order; one number for an empty shape.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
using Arrays = std::map<std::string, Array>; // by the model's names; "" is the only input's

using Range = std::pair<double, double>; // least and largest value

// As the flags of `sdc compile` (docs/ranges.md): scales are powers of two, 0 and none leave the choice to the
// compiler.
struct CompileOptions {
  std::int64_t scale = 1024, weightScale = 0;
  int ring = 0;  // 32 or 64 bits
  int bound = 0; // values before comparisons stay below 2^bound
  std::int64_t batch = 0;
  std::map<std::string, std::vector<std::int64_t>> shapes = {};
  std::optional<Range> inputRange = {};
  std::map<std::string, Range> inputRanges = {};
  Arrays calibrate = {};   // records to measure ranges on; none without
  std::string schema = {}; // JSON, as docs/schema.md has it; none if empty
  std::string network = "lan", ranges = "warn", reveal = "scores";
  std::int64_t minRecords = 100;
  double approximationError = 0x1p-8;
  bool privateNormalization = false, roundOutputs = false;
  bool acceptError = false; // else an error where fixed point is far from the model on the calibration records
  bool keepModel = true;    // for check(); else its floats are given back, which large models take much memory for
};

struct Port { // an input or output
  std::string name;
  std::vector<std::int64_t> shape;
};

// One value of a record's result, in words.
struct Cell {
  std::string output, name, unit;
  std::optional<double> value; // none: decisions alone are opened
  std::optional<bool> holds;   // the class was chosen, the finding is present; none for measurements
};

// What one party has sent and waited for.
struct Phase {
  std::uint64_t bytes[2] = {}; // by the service, by the hospital
  double seconds = 0;
};

struct Result {
  Arrays outputs; // along a first axis of their own, one after another record
  std::uint64_t records = 0;
  Phase offline, online;
};

// Of the fixed-point program on records, beside the floats of the model.
struct Check {
  Arrays floats, fixed; // outputs, along a first axis of their own
  std::int64_t records = 0, sameClass = 0;
  std::optional<std::int64_t> floatRight, fixedRight; // of the class that the labels say
  double largestError = 0, meanError = 0;             // |floats - fixed|
  double rangeError = 0;                              // the largest error as a part of its output's range
  bool withinBounds = true;                           // no value left its bound: a secure run gives exactly `fixed`
};

// Ends what runs with it, from any thread: the record in work is given up, and the call throws ErrorKind::Interrupted.
class Cancel {
public:
  Cancel();
  void request() const;
  bool requested() const;

  struct State;
  std::shared_ptr<State> state;
};

// Told after each record; from the thread that works.
using Progress = std::function<void(std::uint64_t done, std::uint64_t all)>;

struct RunOptions {
  unsigned threads = 0; // 0: one a core
  Progress progress = {};
  std::optional<Cancel> cancel = {};
};

// PEM files, as --tls-cert, --tls-key, --tls-ca and --tls-crl; all of the first three or none.
struct Tls {
  std::string cert, key, ca, crl;
};

struct Endpoint {
  std::string address = "127.0.0.1:7766"; // HOST:PORT; port 0: one that is free, for a service
  Tls tls = {};                           // none: plain TCP, on this machine alone unless allowPlaintext
  bool allowPlaintext = false;
  std::chrono::milliseconds timeout{60'000}; // for a peer, and for each message
};

// A compiled program; what compile() gives also has the weights, and the model that it came from. Copies share it.
class Program {
public:
  // Reads model.onnx, .onnxtext or .sdir.
  static Program compile(const std::string &model, const CompileOptions &options = {});
  // A program, and the weights beside it (model.sdw) if they are there and this user's.
  static Program load(const std::string &path);

  void save(const std::string &path) const; // model.sdb, and model.sdw if there are weights

  bool hasWeights() const;
  bool hasModel() const; // check() can be asked for
  // What `sdc compile` says: what can't be proved, or is coarse.
  const std::vector<std::string> &warnings() const;
  // And what else: which functions are approximated, what other settings give, what hospitals learn. Of several lines.
  const std::vector<std::string> &notes() const;
  std::string name() const;
  std::string digest() const; // of the .sdb, hexadecimal
  int ringBits() const;
  std::vector<Port> inputs() const, outputs() const;
  std::string schema() const; // JSON

  // What is public, who learns what, what it costs; as `sdc inspect`. Networks: "lan", "wan" or
  // "rtt=MS,bandwidth=MBIT".
  std::string inspect() const;
  std::string inspectJson(const std::vector<std::string> &networks = {"lan", "wan"}) const;

  // labels: one class a record, or none.
  Check check(const Arrays &records, const std::vector<float> &labels = {}) const;

  // Both parties in this process, with the protocols of two. Needs the weights.
  Result runLocal(const Arrays &records, const RunOptions &options = {}) const;

  // A record's outputs in words, for `record` of those that a result holds.
  std::vector<Cell> describe(const Result &result, std::uint64_t record) const;

  struct Impl;
  std::shared_ptr<const Impl> impl;
};

// The hospital. Each predict() is a session of its own.
class Client {
public:
  Client(Program program, Endpoint service);
  Result predict(const Arrays &records, const RunOptions &options = {}) const;
  const Program &program() const { return program_; }

private:
  Program program_;
  Endpoint service_;
};

// The service, on threads of its own from the constructor on until stop() or the end of its life: for tests and
// notebooks. For years, and for several models, there is sd-serve.
class Service {
public:
  explicit Service(Program program, const Endpoint &listen = {"127.0.0.1:0"}, unsigned sessions = 8);
  ~Service(); // stops
  Service(Service &&) noexcept;
  std::string address() const; // with the port that was chosen
  void stop();                 // lets sessions come to their end; again: nothing
  std::uint64_t sessions() const;
  std::uint64_t recordsServed() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace sdc

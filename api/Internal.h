// Between the library's interface and the project's types.
#pragma once

#include <atomic>
#include <mutex>

#include "api/sdc.h"
#include "ir/Module.h"
#include "ir/bytecode/Reader.h"
#include "passes/Pass.h"
#include "runtime/vm/Records.h"

namespace sdc {

[[noreturn]] void raise(const sd::Error &error);

template <class T>
T valueOf(sd::Expected<T> result) {
  if (!result) raise(result.error());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

sd::NamedTensors tensorsOf(const Arrays &arrays); // throws where a shape and its values differ

// Outputs of records along a first axis.
Arrays stacked(const std::vector<Port> &ports, const std::vector<std::vector<sd::Tensor<float>>> &records);

struct Program::Impl {
  sd::LoadedProgram loaded;
  std::optional<sd::AnyWeightSet> weights;
  std::vector<std::string> warnings, notes;
  // Of a compilation: floats, fixed point, and what the passes were told.
  std::optional<sd::Module> imported, lowered;
  sd::PassOptions options;
};

std::vector<sd::NamedTensors> recordsOf(const Program::Impl &program, const Arrays &arrays);

struct Cancel::State {
  std::atomic<bool> requested{false};
  std::mutex mutex;
  std::function<void()> stop; // what runs now
};

// While it exists, `stop` is called when the end is asked for; at once if it was.
class CancelScope {
public:
  CancelScope(const std::optional<Cancel> &cancel, std::function<void()> stop);
  ~CancelScope();
  CancelScope(const CancelScope &) = delete;
  CancelScope &operator=(const CancelScope &) = delete;
  void check(const sd::Error *failure) const; // throws Interrupted if that is why

private:
  std::shared_ptr<Cancel::State> state_;
};

} // namespace sdc

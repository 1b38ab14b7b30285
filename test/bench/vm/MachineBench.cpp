// bench_machine: measures the figures of ir/core/MachineProfile.h on this machine and prints them in its form.
#include <fmt/format.h>

#include "test/bench/vm/MeasureMachine.h"

int main() {
  const sd::MachineProfile machine = sd::measureMachine();
  const auto print = [](const char *name, double value) { fmt::print("      .{} = {:.3g},\n", name, value); };
  print("cores", machine.cores);
  print("message", machine.message);
  print("messageByte", machine.messageByte);
  print("element", machine.element);
  print("multiplyAdd", machine.multiplyAdd);
  print("localElement", machine.localElement);
  print("encrypt", machine.encrypt);
  print("accept", machine.accept);
  print("weights", machine.weights);
  print("sparseWeights", machine.sparseWeights);
  print("product", machine.product);
  print("reply", machine.reply);
  print("decrypt", machine.decrypt);
  print("softSpokenOt", machine.softSpokenOt);
  print("silentOt", machine.silentOt);
  print("correctionBit", machine.correctionBit);
  print("transferTap", machine.transferTap);
  print("setUp", machine.setUp);
}

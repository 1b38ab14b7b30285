// sdc in a program of one's own: compiles a model, checks it beside its floats, and runs the service and the hospital
// over TCP in one process.
//
//   embed MODEL.onnx LOW HIGH VALUE ...     the values of one record, which lie in LOW..HIGH
#include <cstdio>
#include <cstdlib>

#include <sdc/sdc.h>

namespace {

void print(const std::vector<sdc::Cell> &cells) {
  for (const sdc::Cell &cell : cells) {
    std::printf("%s %s", cell.output.c_str(), cell.name.c_str());
    if (cell.value) std::printf(" %.4f", *cell.value);
    if (cell.holds) std::printf(" %s", *cell.holds ? "yes" : "no");
    std::printf("\n");
  }
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: embed MODEL.onnx LOW HIGH VALUE ...\n");
    return static_cast<int>(sdc::ErrorKind::Usage);
  }
  try {
    const sdc::Range range{std::atof(argv[2]), std::atof(argv[3])};
    const sdc::Program program = sdc::Program::compile(argv[1], {.inputRange = range});
    for (const std::string &warning : program.warnings())
      std::fprintf(stderr, "warning: %s\n", warning.c_str());

    sdc::Array record;
    for (int i = 4; i < argc; ++i)
      record.values.push_back(static_cast<float>(std::atof(argv[i])));
    record.shape = program.inputs().at(0).shape;
    const sdc::Arrays records = {{program.inputs()[0].name, record}};

    std::printf("largest error of fixed point: %.2g\n", program.check(records).largestError);
    const sdc::Service service(program);
    const sdc::Client client(program, {.address = service.address()});
    const sdc::Result result = client.predict(records);
    print(program.describe(result, 0));
    std::printf("online: %llu bytes\n",
                static_cast<unsigned long long>(result.online.bytes[0] + result.online.bytes[1]));
    return 0;
  } catch (const sdc::Error &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.kind());
  }
}

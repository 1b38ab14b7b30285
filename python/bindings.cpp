// sdc._sdc: the library's interface as the Python package uses it. Arrays are NumPy's; long calls run on a thread of
// their own with the interpreter's lock released, so that Ctrl-C is heard.
#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <future>

#include "api/sdc.h"
#include "python/records.h"

namespace py = pybind11;

namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

sdc::Arrays arraysOf(const std::map<std::string, Floats> &given) {
  sdc::Arrays arrays;
  for (const auto &[name, array] : given)
    arrays[name] = {{array.shape(), array.shape() + array.ndim()}, {array.data(), array.data() + array.size()}};
  return arrays;
}

py::dict numpyOf(const sdc::Arrays &arrays) {
  py::dict result;
  for (const auto &[name, array] : arrays) {
    Floats out(array.shape);
    std::copy(array.values.begin(), array.values.end(), out.mutable_data());
    result[py::str(name)] = out;
  }
  return result;
}

// The call's result. A signal that Python hears asks for its end.
template <class Body>
auto interruptibly(const sdc::Cancel &cancel, Body &&body) {
  const py::gil_scoped_release released;
  auto result = std::async(std::launch::async, std::forward<Body>(body));
  while (result.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    const py::gil_scoped_acquire held;
    if (PyErr_CheckSignals() == 0) continue;
    cancel.request();
    {
      const py::gil_scoped_release waiting;
      result.wait();
    }
    throw py::error_already_set();
  }
  return result.get();
}

sdc::RunOptions runOptions(unsigned threads, const py::object &progress, const sdc::Cancel &cancel) {
  sdc::RunOptions options;
  options.threads = threads;
  options.cancel = cancel;
  if (!progress.is_none())
    options.progress = [progress](std::uint64_t done, std::uint64_t all) {
      const py::gil_scoped_acquire held;
      try {
        progress(done, all);
      } catch (py::error_already_set &error) {
        error.discard_as_unraisable("sdc's progress callback");
      }
    };
  return options;
}

py::dict phaseOf(const sdc::Phase &phase) {
  return py::dict(py::arg("service_bytes") = phase.bytes[0], py::arg("hospital_bytes") = phase.bytes[1],
                  py::arg("seconds") = phase.seconds);
}

py::list portsOf(const std::vector<sdc::Port> &ports) {
  py::list list;
  for (const sdc::Port &port : ports)
    list.append(py::make_tuple(port.name, py::tuple(py::cast(port.shape))));
  return list;
}

sdc::Endpoint endpointOf(const std::string &address, const std::map<std::string, std::string> &tls, bool allowPlaintext,
                         double timeout) {
  sdc::Endpoint endpoint;
  endpoint.address = address;
  const auto file = [&](const char *name) { return tls.contains(name) ? tls.at(name) : std::string(); };
  endpoint.tls = {file("cert"), file("key"), file("ca"), file("crl")};
  endpoint.allowPlaintext = allowPlaintext;
  endpoint.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(timeout * 1000));
  return endpoint;
}

sdc::CompileOptions compileOptions(const py::dict &given) {
  sdc::CompileOptions options;
  const auto take = [&](const char *name, auto &to) {
    if (!given.contains(name)) return;
    try {
      to = given[name].cast<std::remove_reference_t<decltype(to)>>();
    } catch (const py::cast_error &) {
      throw sdc::Error(sdc::ErrorKind::Usage, std::string(name) + " has a value of the wrong type: " +
                                                  py::repr(given[name]).cast<std::string>());
    }
  };
  take("scale", options.scale);
  take("weight_scale", options.weightScale);
  take("ring", options.ring);
  take("bound", options.bound);
  take("batch", options.batch);
  take("shapes", options.shapes);
  take("input_range", options.inputRange);
  take("input_ranges", options.inputRanges);
  take("schema", options.schema);
  take("network", options.network);
  take("ranges", options.ranges);
  take("reveal", options.reveal);
  take("min_records", options.minRecords);
  take("approximation_error", options.approximationError);
  take("private_normalization", options.privateNormalization);
  take("round_outputs", options.roundOutputs);
  take("accept_error", options.acceptError);
  take("keep_model", options.keepModel);
  if (given.contains("calibrate"))
    options.calibrate = arraysOf(given["calibrate"].cast<std::map<std::string, Floats>>());
  return options;
}

py::dict checkOf(const sdc::Check &check) {
  py::dict result(py::arg("floats") = numpyOf(check.floats), py::arg("fixed") = numpyOf(check.fixed),
                  py::arg("records") = check.records, py::arg("same_class") = check.sameClass,
                  py::arg("largest_error") = check.largestError, py::arg("mean_error") = check.meanError,
                  py::arg("range_error") = check.rangeError, py::arg("within_bounds") = check.withinBounds);
  result["float_right"] = check.floatRight;
  result["fixed_right"] = check.fixedRight;
  return result;
}

py::list cellsOf(const std::vector<sdc::Cell> &cells) {
  py::list list;
  for (const sdc::Cell &cell : cells)
    list.append(py::dict(py::arg("output") = cell.output, py::arg("name") = cell.name, py::arg("unit") = cell.unit,
                         py::arg("value") = cell.value, py::arg("holds") = cell.holds));
  return list;
}

} // namespace

PYBIND11_MODULE(_sdc, m) {
  // Of the Python package, which names them by kind.
  static py::handle errorOf = py::object(py::module_::import("sdc._errors").attr("error_of")).release();
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const sdc::Error &error) {
      const std::string message = error.what();
      const py::object text =
          py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(message.data(), std::ssize(message), "replace"));
      const py::object exception = errorOf(static_cast<int>(error.kind()), text);
      PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(exception.ptr())), exception.ptr());
    }
  });

  py::class_<sdc::Result>(m, "Result")
      .def_property_readonly("outputs", [](const sdc::Result &r) { return numpyOf(r.outputs); })
      .def_readonly("records", &sdc::Result::records)
      .def_property_readonly("offline", [](const sdc::Result &r) { return phaseOf(r.offline); })
      .def_property_readonly("online", [](const sdc::Result &r) { return phaseOf(r.online); });

  py::class_<sdc::Program> programs(m, "Program");
  programs
      .def_static("compile",
                  [](const std::string &model, const py::dict &given) {
                    const sdc::CompileOptions options = compileOptions(given);
                    const py::gil_scoped_release released;
                    return sdc::Program::compile(model, options);
                  })
      .def_static("load", &sdc::Program::load, py::call_guard<py::gil_scoped_release>())
      .def("save", &sdc::Program::save, py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("has_weights", &sdc::Program::hasWeights)
      .def_property_readonly("has_model", &sdc::Program::hasModel)
      .def_property_readonly("warnings", &sdc::Program::warnings)
      .def_property_readonly("notes", &sdc::Program::notes)
      .def_property_readonly("name", &sdc::Program::name)
      .def_property_readonly("digest", &sdc::Program::digest)
      .def_property_readonly("ring", &sdc::Program::ringBits)
      .def_property_readonly("inputs", [](const sdc::Program &p) { return portsOf(p.inputs()); })
      .def_property_readonly("outputs", [](const sdc::Program &p) { return portsOf(p.outputs()); })
      .def("schema", &sdc::Program::schema)
      .def("inspect", &sdc::Program::inspect)
      .def("inspect_json", &sdc::Program::inspectJson)
      .def("check",
           [](const sdc::Program &p, const std::map<std::string, Floats> &records, const std::vector<float> &labels) {
             const sdc::Arrays arrays = arraysOf(records);
             sdc::Check check;
             {
               const py::gil_scoped_release released;
               check = p.check(arrays, labels);
             }
             return checkOf(check);
           })
      .def("run_local",
           [](const sdc::Program &p, const std::map<std::string, Floats> &records, unsigned threads,
              const py::object &progress) {
             const sdc::Cancel cancel;
             const sdc::RunOptions options = runOptions(threads, progress, cancel);
             return interruptibly(cancel, [&, arrays = arraysOf(records)] { return p.runLocal(arrays, options); });
           })
      .def("describe", [](const sdc::Program &p, const sdc::Result &r, std::uint64_t record) {
        return cellsOf(p.describe(r, record));
      });
  bindFiles(programs);

  py::class_<sdc::Client>(m, "Client")
      .def(py::init([](const sdc::Program &program, const std::string &address,
                       const std::map<std::string, std::string> &tls, bool allowPlaintext, double timeout) {
        return sdc::Client(program, endpointOf(address, tls, allowPlaintext, timeout));
      }))
      .def("predict", [](const sdc::Client &c, const std::map<std::string, Floats> &records, unsigned threads,
                         const py::object &progress) {
        const sdc::Cancel cancel;
        const sdc::RunOptions options = runOptions(threads, progress, cancel);
        return interruptibly(cancel, [&, arrays = arraysOf(records)] { return c.predict(arrays, options); });
      });

  py::class_<sdc::Service>(m, "Service")
      .def(py::init([](const sdc::Program &program, const std::string &address,
                       const std::map<std::string, std::string> &tls, bool allowPlaintext, double timeout,
                       unsigned sessions) {
        return std::make_unique<sdc::Service>(program, endpointOf(address, tls, allowPlaintext, timeout), sessions);
      }))
      .def_property_readonly("address", &sdc::Service::address)
      .def_property_readonly("sessions", &sdc::Service::sessions)
      .def_property_readonly("records_served", &sdc::Service::recordsServed)
      .def("stop", &sdc::Service::stop, py::call_guard<py::gil_scoped_release>());
}

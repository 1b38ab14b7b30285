# Text tests: each file holds its input, its RUN lines and the output that FileCheck wants.
# Run them with `ctest -R lit`, or one with the command that `ctest -R lit -V` shows and a path added.
import glob
import os
import shutil

import lit.formats

config.name = "sdc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".sdir", ".test", ".onnxtext"]
config.excludes = ["unit", "bench", "fuzz", "conformance", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.sd_build, "test", "lit")

# Longer names first: a substitution replaces its name wherever it stands.
for name, path in sorted(config.sd_tools.items(), key=lambda item: -len(item[0])):
    config.substitutions.append((f"%{name}", path))
config.substitutions.append(("%python", config.sd_python))
config.substitutions.append(("%FileCheck", config.sd_filecheck))
config.substitutions.append(("%root", os.path.dirname(config.test_source_root)))
config.substitutions.append(("%build", config.sd_build))
config.environment["FILECHECK_OPTS"] = "--dump-input=fail"
# Neither is built with sanitizers: they would have to be loaded before Python, and be known to another project.
if glob.glob(os.path.join(config.sd_build, "python", "sdc", "_sdc*.so")):
    config.available_features.add("package")

# What needs other programs, all of which scripts/install-deps.sh installs.
if (shutil.which("haproxy") or os.path.exists("/usr/sbin/haproxy")) and glob.glob("/usr/lib/postgresql/*/bin/initdb"):
    config.available_features.add("scale-out")
else:
    lit_config.warning("NO HAPROXY OR POSTGRESQL: services on several machines ARE NOT TESTED")
if shutil.which("dsrdump") and shutil.which("dsr2html"):
    config.available_features.add("dicom")
else:
    lit_config.warning("NO DCMTK TOOLS: structured reports ARE NOT TESTED")
if shutil.which("chromium"):
    config.available_features.add("browser")
else:
    lit_config.warning("NO CHROMIUM: pages ARE NOT LOOKED AT")
if os.path.exists("/usr/sbin/Orthanc"):
    config.available_features.add("orthanc")
else:
    lit_config.warning("NO ORTHANC: the example beside a PACS IS NOT TESTED")

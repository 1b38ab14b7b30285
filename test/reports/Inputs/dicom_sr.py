"""dicom_sr.py WORK SDC SD-RUN SAMPLES: structured reports, read back with DCMTK's own tools."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../data/Inputs"))
import programs

work, sdc, sd_run, samples = sys.argv[1:]
HOSTILE = "Grüße \\ ^ = <b>&"


def tool(*command):
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


def dump(path):
    """dsrdump refuses what breaks the rules of the SOP class."""
    done = subprocess.run(["dsrdump", "+Pl", path], capture_output=True)
    # Its checker of characters knows no UTF-8, which it says.
    said = re.sub("W: The VR checker does not support this Specific Character Set: ISO_IR 192\\n", "", done.stderr.decode())
    assert done.returncode == 0 and not re.search("^[EW]:", said, re.M), said
    return done.stdout.decode()


def tags(path):
    """The data set's own texts by tag, first of each."""
    found = {}
    for line in tool("dcmdump", "-q", "+L", "-Un", path).splitlines():
        match = re.match(r"\((\w{4},\w{4})\) \w\w \[(.*)\] +#", line)
        if match:
            found.setdefault(match[1], match[2].strip())
    return found


def run(program, source, report, *flags, code=0):
    done = subprocess.run([sd_run, "--local", f"{work}/{program}.sdb", "--input", source, "--format", "dicom-sr",
                           "--report", report, *flags], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stderr


def has(text, *parts):
    for part in parts:
        assert part in text, f"'{part}' is missing in:\n{text}"


# From a DICOM image: same patient and study, and a reference to the image.
programs.compile(work, sdc, "image", [1, 16, 16], {"height": 16, "width": 16, "channels": ["grey"]})
source = f"{samples}/CT_small.dcm"
run("image", source, f"{work}/ct.dcm")
assert os.stat(f"{work}/ct.dcm").st_mode & 0o77 == 0
text, ours, theirs = dump(f"{work}/ct.dcm"), tags(f"{work}/ct.dcm"), tags(source)
assert ours["0008,0016"] == "1.2.840.10008.5.1.4.1.1.88.33"  # Comprehensive SR Storage
for tag in ("0010,0010", "0010,0020", "0020,000d", "0008,0020"):  # name, PatientID, study, its date
    assert ours[tag] == theirs[tag], (tag, ours[tag], theirs[tag])
assert ours["0020,000e"] != theirs["0020,000e"] and ours["0020,000e"].startswith("2.25.")
has(tool("dcmdump", "-q", "+L", "-Un", f"{work}/ct.dcm"), theirs["0008,0018"], theirs["0020,000e"])
has(text, "Comprehensive SR Document", "Diagnostic imaging report", "Finding", '"mean"', "IMAGE:", "Source of Measurement",
    "Identifier of the record", theirs["0010,0020"], "SHA-256 of the program", "both parties in one process",
    "bounds proved", "two-party computation")
has(text, '"Valid result")=(373066001,SCT,"Yes")')
digest = re.search(r"[0-9a-f]{64}", text)[0]
has(tool("dsr2html", f"{work}/ct.dcm"), "mean", digest, "Diagnostic imaging report", "</html>")

# Files in use have identifiers that DICOM does not allow: the result is given, and says that no image is referred to.
import shutil

for change in (["-m", "0008,0018=1.2.03"], ["-m", "0020,000d=1.2.x"], ["-e", "0020,000d"], ["-m", "0020,000e=abc"],
               ["-m", "0008,0016="], ["-m", "0010,0040=female"], ["-m", "0008,0020=today"], ["-m", "0010,0020="]):
    shutil.copyfile(source, f"{work}/odd.dcm")
    tool("dcmodify", "-nb", "-q", "-ie", *change, f"{work}/odd.dcm")
    run("image", f"{work}/odd.dcm", f"{work}/odd-report.dcm")
    text = dump(f"{work}/odd-report.dcm")
    isIdentity = change[1][:9] in ("0008,0018", "0020,000d", "0020,000e", "0008,0016")
    has(text, '"mean"', "not referred to" if isIdentity else "IMAGE:")
shutil.copyfile(source, f"{work}/odd.dcm")
tool("dcmodify", "-nb", "-q", "-ie", "-m", "0008,0016=1.2.840.99999", f"{work}/odd.dcm")
run("image", f"{work}/odd.dcm", f"{work}/odd-report.dcm")
has(tool("dcmdump", "-q", "-Un", f"{work}/odd-report.dcm"), "1.2.840.99999")  # a class that DCMTK does not know

# From a table: units, thresholds, texts that DICOM's own signs are in, several records, one of them without a result.
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

nodes = [helper.make_node("MatMul", ["x", "w"], ["v"]), helper.make_node("Sigmoid", ["v"], ["f"])]
graph = helper.make_graph(nodes, "table", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
                          [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("v", "f")],
                          [numpy_helper.from_array(np.eye(2, dtype=np.float32) * 4, "w")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
model.ir_version = 8
onnx.save(model, f"{work}/table.onnx")
schema = {"model": {"name": f"model {HOSTILE}", "version": "7.1"},
          "inputs": [{"name": "x", "columns": [{"name": each, "range": [-1, 1]} for each in "ab"], "identifiers": ["id"]}],
          "outputs": [{"name": "v", "values": [{"name": "pressure", "unit": "mmHg"}, {"name": HOSTILE, "unit": "points"}]},
                      {"name": "f", "findings": [{"name": "one", "threshold": 0.5}, {"name": "two", "threshold": 0.999}]}]}
json.dump(schema, open(f"{work}/schema.json", "w"))
subprocess.run([sdc, "compile", f"{work}/table.onnx", "-o", f"{work}/table.sdb", "--schema", f"{work}/schema.json"],
               check=True, stderr=subprocess.DEVNULL)
with open(f"{work}/x.csv", "w") as file:
    file.write(f'id,a,b\n"{HOSTILE}",1,1\nP-2,-1,1\nP-3,2,0\n')
run("table", f"{work}/x.csv", f"{work}/t.dcm", "--out-of-range", "skip")
first, second, third = (dump(f"{work}/{name}.dcm") for name in ("t", "t-2", "t-3"))
clean = HOSTILE.replace("\\", "/")
has(first, "Results of a model", '"pressure"', '(,,"Value")="4" (mm[Hg],UCUM,"mmHg")', f'"{clean}"',
    '="4" (points,99SDC,"points")', "7.1", f"model {clean}")
for name, answer in (("one", "Yes"), ("two", "No")):
    assert re.search(f'"{name}">\\s+<has properties NUM:\\(,,"Probability"\\)="0.98[0-9]+" \\(1,UCUM,"no units"\\)>\\s+'
                     f'<has properties CODE:.*"{answer}"\\)>', first), first
has(second, "P-2", "-4")
has(third, "P-3", '"Valid result")=(373067005,SCT,"No")', "outside the program's range")
assert "pressure" not in third
assert tags(f"{work}/t.dcm")["0040,a491"] == "COMPLETE" and tags(f"{work}/t-3.dcm")["0040,a491"] == "PARTIAL"
assert len({tags(f"{work}/{name}.dcm")["0008,0018"] for name in ("t", "t-2", "t-3", "ct")}) == 4
print("all as expected")

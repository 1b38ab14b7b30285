"""files.py ROOT WORK SDC: records from files and reports of results, beside what the command-line tools make of them."""
import json
import os
import subprocess
import sys
import warnings

import numpy as np

root, work, tool = sys.argv[1:]
sys.path[:0] = [os.path.join(root, "examples", "pneumonia"), os.path.join(root, "test", "data", "Inputs")]
import dicom
import programs
import sdc

rng = np.random.default_rng(7)
programs.compile(work, tool, "grey", [1, 8, 8], {"height": 8, "width": 8, "channels": ["grey"]})
program = sdc.load(f"{work}/grey.sdb")
os.mkdir(f"{work}/scans")
for number in range(1, 4):
    dicom.write(f"{work}/scans/{number}.dcm", rng.integers(0, 256, (9 + number, 10), np.uint8), f"P-{number}")


def prepared(*flags):
    subprocess.run([tool, "prepare-records", f"{work}/grey.sdb", "--input", f"{work}/scans", "-o", f"{work}/x.npy", *flags], check=True)
    return np.load(f"{work}/x.npy")


for options, flags in (({}, ()), ({"window": "image", "fit": "crop"}, ("--window", "image", "--fit", "crop")),
                       ({"window": (10, 200), "modality": "CR"}, ("--window", "10,200", "--modality", "CR"))):
    x, names = program.read_records(f"{work}/scans", **options)
    print("as prepare-records", np.array_equal(x, prepared(*flags)), x.shape, names)

with open(f"{work}/scans/notes.txt", "w") as file:
    file.write("no record\n")
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    program.read_records(f"{work}/scans")
print("a warning:", len(told), "notes.txt" in str(told[0].message))

result = program.run_local(x)
page = result.report("html", f"{work}/report.html", identifiers=names, service="Example & Sons")
print("page:", [name in page for name in names], "Example &amp; Sons" in page, open(f"{work}/report.html").read() == page,
      oct(os.stat(f"{work}/report.html").st_mode & 0o777))
bundle = json.loads(result.report("fhir", identifiers=names))
reports = [each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == "DiagnosticReport"]
print("FHIR:", [each["subject"]["identifier"]["value"] for each in reports], {each["status"] for each in reports})
print("numbers without identifiers:", [line.split(",")[0] for line in result.report("csv").splitlines()[1:]])
print("JSON:", sorted(json.loads(result.report("json", identifiers=names))))

for what, call in {
    "modality": lambda: program.read_records(f"{work}/scans/1.dcm", modality=["CT", "MR"]),
    "window": lambda: program.read_records(f"{work}/scans/1.dcm", window="bright"),
    "fit": lambda: program.read_records(f"{work}/scans/1.dcm", fit="squeeze"),
    "input": lambda: program.read_records(f"{work}/scans/1.dcm", input="z"),
    "none": lambda: program.read_records(f"{work}/none"),
    "format": lambda: result.report("pdf"),
    "identifiers": lambda: result.report("csv", identifiers=["a"]),
    "path": lambda: result.report("csv", f"{work}/no/such/folder.csv"),
}.items():
    try:
        call()
        print(f"{what}: no error")
    except sdc.Error as error:
        print(f"{what}: {type(error).__name__} {str(error).replace(work, '')}")

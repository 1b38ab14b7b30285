"""fhir.py WORK SDC: FHIR Observations and units of tables, as sdc prepare-records gives them to a program; each line is
what was made, or why nothing was."""
import copy
import json
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

work, sdc = sys.argv[1:]
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
COLUMNS = [
    {"name": "glucose", "unit": "mg/dL", "codes": [f"{LOINC}|2345-7", f"{LOINC}|1558-6"], "units": [{"unit": "mmol/L", "factor": 18.016}]},
    {"name": "temperature", "unit": "Cel", "codes": [f"{LOINC}|8310-5"],
     "units": [{"unit": "[degF]", "factor": 0.5555555555555556, "offset": -17.77777777777778}]},
    {"name": "systolic", "unit": "mm[Hg]", "codes": [f"{LOINC}|8480-6"], "missing": 120},
    {"name": "parity", "codes": [f"{LOINC}|11977-6"]},
]


def compile(name, columns):
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], name,
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, len(columns)])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
                              [numpy_helper.from_array(np.ones((len(columns), 1), np.float32), "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), f"{work}/{name}.onnx")
    with open(f"{work}/{name}.json", "w") as file:
        json.dump({"inputs": [{"name": "x", "columns": columns, "range": [0, 500]}]}, file)
    done = subprocess.run([sdc, "compile", f"{work}/{name}.onnx", "-o", f"{work}/{name}.sdb", "--schema", f"{work}/{name}.json"],
                          capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def prepare(what, content, name="record.json", program="labs"):
    path = f"{work}/{name}"
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else json.dumps(content).encode())
    ids = f"{work}/ids.csv"
    done = subprocess.run([sdc, "prepare-records", f"{work}/{program}.sdb", "--input", path, "-o", f"{work}/out.npy", "--identifiers", ids,
                           *(["--id", "id"] if name.endswith(".csv") else [])],
                          capture_output=True, text=True)
    notes = [line.replace(work + "/", "") for line in done.stderr.splitlines()]
    if done.returncode:
        print(f"{what}: {done.returncode} {notes[-1] if notes else ''}")
        return
    rows = [" ".join(f"{v:g}" for v in row) for row in np.load(f"{work}/out.npy").round(3)]
    with open(ids) as file:
        names = [line.split(",", 1)[1] for line in file.read().splitlines()[1:]]
    print(f"{what}: " + "; ".join(f"{name}: {row}" for name, row in zip(names, rows, strict=True)))
    for note in notes:
        print("  " + note)


def quantity(value, unit, **more):
    return {"valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit, **more}}


def observation(code, value, subject="Patient/a", when="2024-05-01T10:00:00Z", status="final", system=LOINC):
    result = {"resourceType": "Observation", "status": status, "code": {"coding": [{"system": system, "code": code}]}, **value}
    if subject is not None:
        result["subject"] = {"reference": subject} if isinstance(subject, str) else subject
    if when:
        result["effectiveDateTime"] = when
    return result


def bundle(*resources):
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}


def patient(id, *identifiers):
    return {"resourceType": "Patient", "id": id, "identifier": [{"system": s, "value": v} for s, v in identifiers]}


GLUCOSE, WARM, PARITY = observation("2345-7", quantity(90, "mg/dL")), observation("8310-5", quantity(37, "Cel")), observation("11977-6", {"valueInteger": 2})


def of(subject, *observations):
    made = copy.deepcopy(observations)
    for each in made:
        each["subject"] = {"reference": subject} if isinstance(subject, str) else subject
    return made


print("compile:", compile("labs", COLUMNS) or "done")
prepare("one patient", bundle(GLUCOSE, WARM, PARITY))
prepare("by name", bundle(patient("a", ("urn:hospital", "4711")), GLUCOSE, WARM, PARITY))
prepare("units", bundle(observation("1558-6", quantity(5, "mmol/L")), observation("8310-5", quantity(98.6, "[degF]")), PARITY))
panel = observation("85354-9", {"component": [{"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, **quantity(135, "mm[Hg]")}]})
prepare("component", bundle(GLUCOSE, WARM, PARITY, panel))
prepare("latest", bundle(GLUCOSE, observation("2345-7", quantity(110, "mg/dL"), when="2024-05-02"), WARM, PARITY))
prepare("not final", bundle(GLUCOSE, observation("2345-7", quantity(400, "mg/dL"), when="2025-01-01", status="preliminary"), WARM, PARITY))
prepare("no final one", bundle(observation("2345-7", quantity(400, "mg/dL"), status="entered-in-error"), WARM, PARITY))
prepare("same day", bundle(GLUCOSE, observation("2345-7", quantity(110, "mg/dL"), when="2024-05-01"), WARM, PARITY))
prepare("no time", bundle(GLUCOSE, observation("2345-7", quantity(110, "mg/dL"), when=None), WARM, PARITY))
prepare("another unit", bundle(observation("2345-7", quantity(90, "g/L")), WARM, PARITY))
prepare("no unit", bundle(observation("2345-7", {"valueQuantity": {"value": 90}}), WARM, PARITY))
prepare("a bound", bundle(observation("2345-7", quantity(20, "mg/dL", comparator="<")), WARM, PARITY))
prepare("a text", bundle(observation("2345-7", {"valueString": "high"}), WARM, PARITY))
prepare("absent", bundle(observation("2345-7", {"dataAbsentReason": {"text": "unknown"}}), WARM, PARITY))
prepare("missing", bundle(WARM, PARITY))
prepare("another system", bundle(observation("2345-7", quantity(90, "mg/dL"), system="urn:local"), WARM, PARITY))

# Whose is it?
prepare("two patients", bundle(*of("Patient/b", GLUCOSE, WARM, PARITY), *of("Patient/a", GLUCOSE, WARM, PARITY)))
prepare("one number in two systems", bundle(
    patient("a", ("urn:ward-1", "7")), patient("b", ("urn:ward-2", "7")),
    *of("Patient/a", GLUCOSE, WARM, PARITY), *of("Patient/b", GLUCOSE, WARM, PARITY)))
prepare("one id on two servers", bundle(*of("https://one/fhir/Patient/7", GLUCOSE, WARM, PARITY), *of("https://two/fhir/Patient/7", GLUCOSE, WARM, PARITY)))
prepare("by identifier", bundle(patient("a", ("urn:ward-1", "7")), *of("Patient/a", GLUCOSE, WARM),
                                *of({"identifier": {"system": "urn:ward-1", "value": "7"}}, PARITY)))
prepare("an older version", bundle(*of("Patient/a/_history/3", GLUCOSE), *of("Patient/a", WARM, PARITY)))
prepare("no subject", bundle(*(observation("2345-7", quantity(90, "mg/dL"), subject=None), WARM)))
prepare("a device", bundle(*of("Device/a", GLUCOSE, WARM, PARITY)))
inside = observation("2345-7", quantity(90, "mg/dL"), subject="#p")
inside["contained"] = [patient("p", ("urn:ward-1", "9"))]
prepare("contained", bundle(inside, *of({"identifier": {"system": "urn:ward-1", "value": "9"}}, WARM, PARITY)))
prepare("not contained", bundle(observation("2345-7", quantity(90, "mg/dL"), subject="#p"), WARM, PARITY))

# Not what it should be.
prepare("cut", json.dumps(bundle(GLUCOSE)).encode()[:80])
prepare("deep", b"[" * 100000)
prepare("a list", b"[1, 2]")
prepare("another resource", {"resourceType": "Patient", "id": "a"})
prepare("a date that is none", bundle(observation("2345-7", quantity(90, "mg/dL"), when="2024-13-01"), WARM))
prepare("a huge number", bundle(observation("2345-7", quantity(10**400, "mg/dL")), WARM, PARITY))
prepare("out of range", bundle(observation("2345-7", quantity(9000, "mg/dL")), WARM, PARITY))
prepare("odd members", {"resourceType": "Bundle", "entry": [7, {"resource": 8}, {"resource": {"resourceType": "Observation", "status": "final", "code": 9}}]})
prepare("without codes", bundle(GLUCOSE), program="plain") if not compile("plain", ["a", "b"]) else None

# Tables.
prepare("units of a table", b"id,glucose [mmol/L],temperature ([degF]),systolic,parity\n1,5,98.6,,2\n", "t.csv")
prepare("its own unit", b"id,glucose [mg/dL],temperature,systolic [mm[Hg]],parity\n1,90,37,120,1\n", "t.csv")
prepare("another unit of a table", b"id,glucose [g/L],temperature,systolic,parity\n1,0.9,37,120,1\n", "t.csv")
prepare("a unit where there is none", b"id,glucose,temperature,systolic,parity [1/a]\n1,90,37,120,1\n", "t.csv")

# What a schema may not say.
for what, change in {"code": {"codes": ["2345-7"]}, "code twice": {"codes": [f"{LOINC}|8310-5"]}, "factor": {"units": [{"unit": "g/L", "factor": 0}]},
                     "unit twice": {"units": [{"unit": "mg/dL", "factor": 2}]}, "no factor": {"units": [{"unit": "g/L"}]}}.items():
    columns = copy.deepcopy(COLUMNS)
    columns[0].update(change)
    print(f"schema, {what}:", compile("bad", columns).strip().splitlines()[-1].replace(work + "/", ""))

"""reports.py WORK SDC SD-RUN: every format says the same, escapes what names hold, and fits its specification."""
import csv
import html.parser
import io
import json
import os
import re
import stat
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

work, sdc, sd_run = sys.argv[1:]
HOSTILE = '=1+1 <b>"x"</b> & \'y\''


def compile(name, tail, outputs, columns=("a", "b")):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["s"])]
    nodes += [helper.make_node(tail, ["s"], ["y"])] if tail else [helper.make_node("Identity", ["s"], ["y"])]
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
                              [numpy_helper.from_array(np.eye(2, dtype=np.float32) * 4, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, f"{work}/{name}.onnx")
    schema = {"model": {"name": f"model {HOSTILE}", "version": "7"},
              "inputs": [{"name": "x", "columns": [{"name": each, "range": [-1, 1]} for each in columns],
                          "identifiers": ["id"]}],
              "outputs": [{"name": "y", **outputs}]}
    json.dump(schema, open(f"{work}/{name}.json", "w"))
    subprocess.run([sdc, "compile", f"{work}/{name}.onnx", "-o", f"{work}/{name}.sdb", "--schema", f"{work}/{name}.json"],
                   check=True, stderr=subprocess.DEVNULL)


def run(name, *flags, code=0):
    done = subprocess.run([sd_run, "--local", f"{work}/{name}.sdb", "--input", f"{work}/x.csv", *flags],
                          capture_output=True, text=True)
    assert done.returncode == code, (flags, done.returncode, done.stderr)
    return done.stdout


with open(f"{work}/x.csv", "w", newline="") as file:
    table = csv.writer(file)
    table.writerows([["id", "a", "b"], [HOSTILE, 1, -1], ["P-2", -1, 1]])
compile("m", "Softmax", {"classes": ["well", HOSTILE]})
compile("f", "Sigmoid", {"findings": [{"name": "one", "threshold": 0.5}, {"name": "two", "threshold": 0.999}]})
compile("v", None, {"values": [{"name": "volume", "unit": "ml"}, {"name": "density", "unit": "g/ml"}]})

# Classes in each format.
records = json.loads(run("m", "--format", "json"))
assert records["model"]["name"].endswith(HOSTILE) and records["model"]["version"] == "7"
digest = records["model"]["program"]
assert re.fullmatch("[0-9a-f]{64}", digest) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", records["time"])
assert "bounds" in records["ranges"] and records["service"] == "both parties in one process"
first, second = records["records"]
assert first["id"] == HOSTILE and first["valid"] and second["id"] == "P-2"
assert [r["name"] for r in first["results"]] == ["well", HOSTILE]
assert [r["holds"] for r in first["results"]] == [True, False] and [r["holds"] for r in second["results"]] == [False, True]
assert abs(sum(r["value"] for r in first["results"]) - 1) < 1e-4 and first["results"][0]["value"] > 0.99

rows = list(csv.DictReader(io.StringIO(run("m", "--format", "csv"))))
assert [row["holds"] for row in rows] == ["yes", "no", "no", "yes"]
assert rows[0]["id"] == "'" + HOSTILE and rows[0]["program"] == digest  # no formula in a spreadsheet
assert [float(row["value"]) for row in rows[:2]] == [r["value"] for r in first["results"]]


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], "", set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        assert not {"src", "href", "onload", "onclick"} & {name for name, _ in attributes}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


page = Page()
text = run("m", "--format", "html")
page.feed(text)
page.close()
assert page.open == [] and HOSTILE in page.text and digest in page.text and "b" not in page.tags
assert "script" not in page.tags and "prefers-color-scheme: dark" in text

# FHIR R4: the fields that its definitions of Bundle, DiagnosticReport and Observation require, and their types.
FIELDS = {"DiagnosticReport": {"resourceType", "id", "status", "code", "subject", "effectiveDateTime", "issued",
                               "performer", "result", "conclusion"},
          "Observation": {"resourceType", "id", "status", "code", "subject", "effectiveDateTime", "issued", "performer",
                          "valueQuantity", "valueBoolean", "interpretation", "method", "device", "note"}}
INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


def check_bundle(bundle):
    assert bundle["resourceType"] == "Bundle" and bundle["type"] == "collection"
    assert re.fullmatch(INSTANT, bundle["timestamp"]) and set(bundle) <= {"resourceType", "type", "timestamp", "entry"}
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert set(entry) == {"fullUrl", "resource"} and entry["fullUrl"] == "urn:uuid:" + resource["id"]
        assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", resource["id"])
        assert set(resource) <= FIELDS[resource["resourceType"]], set(resource)
        assert resource["status"] in ("final", "cancelled") and resource["code"]["text"]
        assert resource["subject"]["identifier"]["value"] and re.fullmatch(INSTANT, resource["issued"])
        assert isinstance(resource["performer"], list) and isinstance(resource["performer"][0]["display"], str)
        for reference in resource.get("result", []):
            assert reference["reference"] in urls
        if "valueQuantity" in resource:
            assert isinstance(resource["valueQuantity"]["value"], (int, float)) and "valueBoolean" not in resource
        for text in resource.get("interpretation", []) + resource.get("note", []):
            assert isinstance(text["text"], str)
        empty = [key for key, value in resource.items() if value in ("", [], {}, None)]
        assert not empty, empty
    return [entry["resource"] for entry in bundle["entry"]]


resources = check_bundle(json.loads(run("m", "--format", "fhir")))
assert [r["resourceType"] for r in resources] == ["DiagnosticReport", "Observation", "Observation"] * 2
assert resources[0]["conclusion"] == "well" and resources[0]["subject"]["identifier"]["value"] == HOSTILE
resources = check_bundle(json.loads(run("f", "--format", "fhir")))
assert [r.get("conclusion") for r in resources[::3]] == ["one", None]  # 0.98 is below 0.999
resources = check_bundle(json.loads(run("v", "--format", "fhir")))
assert resources[1]["valueQuantity"] == {"value": 4.0, "unit": "ml"} and "conclusion" not in resources[0]

# To a file, its owner's alone, and nothing printed; records that are skipped are not silently missing.
assert run("v", "--format", "json", "--report", f"{work}/r.json") == ""
assert stat.S_IMODE(os.stat(f"{work}/r.json").st_mode) == 0o600
values = json.load(open(f"{work}/r.json"))["records"]
assert [r["value"] for r in values[0]["results"]] == [4, -4] and [r["unit"] for r in values[0]["results"]] == ["ml", "g/ml"]
with open(f"{work}/x.csv", "a") as file:
    file.write("P-3,2,0\n")
skipped = json.loads(run("v", "--format", "json", "--out-of-range", "skip"))["records"][2]
assert skipped["id"] == "P-3" and not skipped["valid"] and skipped["results"] == [] and "skipped" in skipped["problem"]
resources = check_bundle(json.loads(run("v", "--format", "fhir", "--out-of-range", "skip")))
assert resources[-1]["status"] == "cancelled"

# The audit file: a chain of hashes, no values, its owner's alone.
audit = f"{work}/audit"
for _ in range(2):
    run("v", "--format", "json", "--audit", audit, "--out-of-range", "skip")
lines = open(audit).read().splitlines()
assert len(lines) == 6 and stat.S_IMODE(os.stat(audit).st_mode) == 0o600
assert all(set(json.loads(line)) == {"time", "id", "program", "service", "valid", "hash"} for line in lines)
verify = [os.path.join(os.path.dirname(sd_run), "sd-audit"), "verify"]
assert subprocess.run([*verify, audit]).returncode == 0
for changed in (lines[1:], lines[:2] + lines[3:], [lines[0].replace("true", "false"), *lines[1:]]):
    with open(f"{work}/changed", "w") as file:
        file.write("\n".join(changed) + "\n")
    assert subprocess.run([*verify, f"{work}/changed"], stderr=subprocess.DEVNULL).returncode == 3
assert [json.loads(line)["valid"] for line in lines[:3]] == [True, True, False]
with open(audit, "a") as file:
    file.write("{")
run("v", "--audit", audit, "--out-of-range", "skip", code=4)
print("all as expected")

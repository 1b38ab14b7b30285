"""progress.py WORK SDC SD-RUN ROOT: what each long command says of how far it is."""
import json
import os
import pty
import re
import subprocess
import sys

import numpy as np
from PIL import Image

work, sdc, sd_run, root = sys.argv[1:]
sys.path.insert(0, f"{root}/test/data/Inputs")
import programs

example = f"{root}/examples/breast_cancer"
model = [f"{example}/model.onnx", "--schema", f"{example}/schema.json"]
records = f"{example}/records.csv"
with open(f"{work}/x.csv", "w") as file:
    file.write("1,2\n3,4\n5,6\n")
programs.compile(work, sdc, "image", [1, 8, 8], {"height": 8, "width": 8, "channels": ["grey"]})
os.makedirs(f"{work}/pictures")
for i in range(3):
    Image.fromarray(np.full((8, 8), 80 * i, np.uint8), "L").save(f"{work}/pictures/{i}.png")

COMMANDS = {
    "compile": ([sdc, "compile", *model, "-o", f"{work}/m.sdb", "--calibrate", records, "--min-records", "10"],
                ["compile: .*: pass [0-9]+ of [0-9]+, ", "compile: 1[01] of 12 records, .*: measuring ranges",
                 "compile: 12 of 12 records, .*: comparing floats and fixed point"]),
    "check": ([sdc, "check", *model, "--data", records], ["check: 12 of 12 records, .* left: comparing"]),
    "prepare-records": ([sdc, "prepare-records", f"{work}/image.sdb", "--input", f"{work}/pictures", "-o", f"{work}/o.npy"],
                        ["prepare-records: 2 of 3 files, "]),
    "run": ([sd_run, "--local", f"{work}/a.sdb", "--input", f"{work}/x.csv"],
            ["run: 0 of 3 records, .*: ahead of time, part 0 of [0-9]+", "run: 2 of 3 records, .*: the network, step 1 of ",
             "run: 1 of 3 records, .* left", "run: 3 of 3 records, .*, 0 s left"]),
}


def said(command, *flags, **environment):
    done = subprocess.run([*command, *flags], capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stderr


for name, (command, patterns) in COMMANDS.items():
    text = said(command, SDC_PROGRESS_SECONDS="0")
    for pattern in patterns:
        assert re.search(f"^{pattern}", text, re.M), f"{name}: '{pattern}' is missing in:\n{text}"
    assert "\r" not in text
    assert not re.search(f"^{name}: ", said(command), re.M), "a line before 10 s"
print("lines: as expected")

for name, (command, _) in COMMANDS.items():
    text = said(command, "--quiet", SDC_PROGRESS_SECONDS="0")
    assert not re.search(f"^({name}|note):", text, re.M), text
print("quiet: as expected")

for name, (command, _) in COMMANDS.items():
    lines = [json.loads(line) for line in said(command, "--log-format", "json", SDC_PROGRESS_SECONDS="0").splitlines()]
    steps = [line for line in lines if line["event"] == "progress" and line["task"] == name]
    assert steps and all(set(line) >= {"time", "tool", "unit", "done", "seconds"} for line in steps), lines
    assert all(line["event"] == "progress" or line["level"] in ("info", "note", "warning", "error") for line in lines)
last = steps[-1]
assert last["done"] == last["all"] == 3 and last["left"] == 0 and last["rate"] > 0, last
failed = subprocess.run([sd_run, "--local", f"{work}/a.sdb", "--input", f"{work}/none.csv", "--log-format", "json"],
                        capture_output=True, text=True)
(line,) = [json.loads(each) for each in failed.stderr.splitlines()]
assert failed.returncode == 3 and line["level"] == "error" and "none.csv" in line["text"], line
failed = subprocess.run([sdc, "compile", f"{work}/none.onnx", "-o", f"{work}/n.sdb", "--log-format", "json"],
                        capture_output=True, text=True)
(line,) = [json.loads(each) for each in failed.stderr.splitlines()]
assert line["tool"] == "sdc" and line["level"] == "error" and not line["text"].startswith("error"), line
print("json: as expected")


def onTerminal(command):
    """What a terminal gets that both streams go to, cut where the line is cleared."""
    leader, terminal = pty.openpty()
    process = subprocess.Popen(command, stderr=terminal, stdout=terminal, env={**os.environ, "SDC_PROGRESS_SECONDS": "0"})
    os.close(terminal)
    drawn = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        drawn += part
    os.close(leader)
    assert process.wait() == 0, drawn
    return drawn.decode().replace("\r\n", "\n").split("\r\x1b[K")


# One line that is drawn again, below what is printed, gone at the end.
pieces = onTerminal(COMMANDS["run"][0])
assert any(re.match(r"run \[#{8}\.{16}\] 1 of 3 records, ", piece) for piece in pieces), pieces
for number in (1, 2, 3):
    assert any(piece.startswith(f"record {number}: ") for piece in pieces), pieces
assert pieces[-1] == "", pieces
pieces = onTerminal(COMMANDS["check"][0])
assert len(pieces) > 2 and pieces[-1].startswith("records            12\n"), pieces
print("bar: as expected")

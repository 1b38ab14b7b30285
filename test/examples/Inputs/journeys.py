"""journeys.py ROOT SHARED WORK BIN PACKAGE: types the lines of docs/journeys.md, a section at a time, as a new user would."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np


def make_up(path):
    """Images of the data's form: noise, and where the label is 1, brighter in the middle."""
    rng, parts = np.random.default_rng(1), {}
    for part, count in (("train", 4000), ("val", 500), ("test", 624)):
        labels = rng.integers(0, 2, (count, 1), np.uint8)
        labels[:6, 0] = [1, 0, 1, 0, 1, 1]
        images = rng.integers(0, 120, (count, 28, 28), np.uint8)
        images[:, 8:20, 8:20] += 90 * labels[:, :, None]
        parts |= {f"{part}_images": images, f"{part}_labels": labels}
    np.savez(path, **parts)


root, shared, work, programs, package = sys.argv[1:]
data = os.path.join(os.environ.get("SD_SHARED", shared), "data", "pneumoniamnist", "pneumoniamnist_rebuilt.npz")
with open(os.path.join(root, "docs", "journeys.md")) as file:
    sections = re.split(r"^## ", file.read(), flags=re.M)[1:]
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
os.makedirs(work, exist_ok=True)
own = os.path.join(work, "pneumoniamnist.npz")
if os.path.exists(data):
    os.symlink(data, own)
else:
    print(f"NOT TESTED with radiographs: {data} is not there; made-up images take their place", file=sys.stderr)
    make_up(own)
os.symlink(os.path.join(root, "examples"), os.path.join(work, "examples"))
environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": package, "PYTHONDONTWRITEBYTECODE": "1",
               "HOME": work, "JUPYTER_PLATFORM_DIRS": "1"}
services = []


def ask(command):
    """Runs a line to its end; while a service begins to listen, a hospital waits for it by itself."""
    done = subprocess.run(["bash", "-c", command], cwd=work, env=environment, capture_output=True, text=True)
    print(done.stdout, end="")
    if done.returncode:
        sys.exit(f"{command}\nended with {done.returncode}:\n{done.stderr}")


try:
    for section in sections:
        title, *lines = section.splitlines()
        commands = [line[4:] for line in lines if line.startswith("    ")]
        print(f"== {title}: {len(commands)} commands")
        begin = time.monotonic()
        for command in commands:
            command = command.replace("127.0.0.1:7766", f"127.0.0.1:{port}")
            if command.endswith(" &"):
                services.append(subprocess.Popen(command[:-2].split(), cwd=work, env=environment, stderr=subprocess.DEVNULL))
            else:
                ask(command)
        print(f"{title}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
finally:
    for service in services:
        service.send_signal(signal.SIGTERM)
        print(f"service: exit {service.wait()}")

with open(os.path.join(work, "work", "report.json")) as file:
    bundle = json.load(file)
reports = [each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == "DiagnosticReport"]
print(f"FHIR: {len(reports)} reports of {', '.join(each['subject']['identifier']['value'] for each in reports)}")
with open(os.path.join(work, "work", "report.html")) as file:
    page = file.read()
patients = sum(f"P-{number}" in page for number in range(1, 7))
print(f"HTML: patients {patients}, pneumonia {'pneumonia' in page}, fetches {'://' in page}")

"""console.py DOCUMENT SDC [--update]: runs the commands of a document's ```console blocks, in order and in an empty
folder that shows the project's `examples`, and compares what they print with what the document says."""
import difflib
import os
import subprocess
import sys
import tempfile

document, sdc = (os.path.realpath(p) for p in sys.argv[1:3])
update = sys.argv[3:] == ["--update"]
lines = open(document).read().split("\n")
environment = dict(os.environ, PATH=os.path.dirname(sdc) + ":" + os.environ["PATH"])
written, blocks, inside = [], 0, False
with tempfile.TemporaryDirectory() as folder:
    os.symlink(os.path.join(os.path.dirname(document), "..", "examples"), os.path.join(folder, "examples"))
    for line in lines:
        if inside and line != "```":
            if line.startswith("$ "):
                run = subprocess.run(["bash", "-c", "set -o pipefail; " + line[2:]], cwd=folder, env=environment,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                if run.returncode:
                    sys.exit(f"{line}\nfailed:\n{run.stdout}")
                written += [line] + run.stdout.rstrip("\n").split("\n") * bool(run.stdout)
            continue
        written.append(line)
        inside = line == "```console"
        blocks += inside
if update:
    open(document, "w").write("\n".join(written))
elif written != lines:
    sys.exit("\n".join(difflib.unified_diff(lines, written, document, "as run", lineterm="")))
if blocks == 0:
    sys.exit(f"{document}: no console blocks")

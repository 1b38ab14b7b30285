"""compile_chains.py SDC PREFIX N SECONDS MEGABYTES [KIND...]: compiles each kind of chains.py, or those that are named, with N
nodes, within limited.py's limits."""
import os
import subprocess
import sys

import chains

HERE = os.path.dirname(__file__)


def main(sdc, prefix, count, limits, kinds):
    for kind in kinds or chains.KINDS:
        model = f"{prefix}-{kind}.onnxtext"
        with open(model, "w", encoding="utf-8") as file:
            file.write(chains.text(kind, count))
        limited = [sys.executable, os.path.join(HERE, "limited.py"), *limits]
        command = [sdc, "compile", model, "-o", f"{prefix}-{kind}.sdb", "--input-range", "0,1"]
        done = subprocess.run(limited + command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{kind}: {done.stderr[-2000:]}")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:6], sys.argv[6:])

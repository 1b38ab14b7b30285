# Holds `sdc check` against onnxruntime's results on generated networks:
#   compare.py SDC FOLDER [--import]
# Wrong is an imported model that differs from onnxruntime, and a fixed-point program that is off by more than 1 % of the
# output range without a warning (or, with --import, whatever it is). Prints those, and a summary; fails if there are any.
import glob
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

IMPORT, FIXED = 1e-4, 1e-2  # parts of the output range


def judge(sdc, folder, fixedToo):
    with open(f"{folder}/range") as file:
        limits = file.read()
    run = subprocess.run([sdc, "check", f"{folder}/model.onnx", "--data", f"{folder}/x.npy", f"--input-range={limits}",
                          "--expected", f"{folder}/y.npy"], capture_output=True, text=True)
    if run.returncode != 0:
        return "crashed" if run.returncode < 0 else "refused", run.stderr.strip().split("\n")[-1]
    y = np.load(f"{folder}/y.npy")
    if not np.isfinite(y).all():
        return "skipped", "onnxruntime gives no numbers"
    span = float(y.max() - y.min()) or abs(float(y.max())) or 1
    imported = float(re.search(r"import error +largest ([^,\s]+)", run.stdout)[1]) / span
    fixed = float(re.search(r"output error .*largest ([^,\s]+)", run.stdout)[1]) / span
    if not imported <= IMPORT:
        return "import", f"the imported model is off by {100 * imported:.3g} % of the output range"
    if fixed <= FIXED or not fixedToo:
        return "right", ""
    return ("warned" if "warning:" in run.stderr else "silent"), f"off by {100 * fixed:.3g} % of the output range"


def main(sdc, folder, flag=None):
    cases = sorted(os.path.dirname(path) for path in glob.glob(f"{folder}/*/y.npy"))
    counts = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for case, (verdict, why) in zip(cases, pool.map(lambda each: judge(sdc, each, flag is None), cases)):
            counts[verdict] = counts.get(verdict, 0) + 1
            if verdict != "right":
                print(f"{verdict:8} {case}: {why}")
    print(", ".join(f"{counts[verdict]} {verdict}" for verdict in sorted(counts)))
    return 1 if any(counts.get(bad) for bad in ("crashed", "import", "silent")) or not cases else 0


sys.exit(main(*sys.argv[1:]))

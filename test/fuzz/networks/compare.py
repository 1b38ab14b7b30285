# Holds `sdc compile` and `sdc check` against onnxruntime's results on generated networks:
#   compare.py SDC FOLDER [--import]
# Wrong is an imported model that differs from onnxruntime, and a fixed-point program that is off by more than 1 % of the
# output range where `sdc compile`, which sees no records, has given no warning (or, with --import, whatever it is).
# Prints those, and a table; fails if there are any.
import glob
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np

IMPORT, FIXED, HARMLESS = 1e-4, 1e-2, 5e-3  # parts of the output range
FLOATS = 2**-18  # of the largest output: what sums of 32-bit floats lose, where outputs hardly change
UNIT = 2**-22  # what a sigmoid or softmax in 32-bit floats is off by, near 0 too
ROWS = {
    "right": "within 1 % of the output range, no warning",
    "careful": "within 1 %, with a warning",
    "alarm": "within 0.5 %, with a warning",
    "warned": "off by more than 1 %, with a warning",
    "refused": "refused",
    "skipped": "without numbers from onnxruntime",
    "silent": "off by more than 1 %, no warning",
    "import": "imported wrongly",
    "crashed": "crashed",
}


def judge(sdc, folder, fixedToo):
    with open(f"{folder}/range") as file:
        flags = [f"{folder}/model.onnx", f"--input-range={file.read()}"]
    y = np.load(f"{folder}/y.npy")
    if not np.isfinite(y).all():
        return "skipped", "onnxruntime gives no numbers"
    run = subprocess.run([sdc, "check", *flags, "--data", f"{folder}/x.npy", "--expected", f"{folder}/y.npy"],
                         capture_output=True, text=True)
    if run.returncode != 0:
        return "crashed" if run.returncode < 0 else "refused", run.stderr.strip().split("\n")[-1]
    span = float(y.max() - y.min()) or abs(float(y.max())) or 1
    imported = float(re.search(r"import error +largest ([^,\s]+)", run.stdout)[1]) / span
    fixed = float(re.search(r"output error .*largest ([^,\s]+)", run.stdout)[1]) / span
    if not imported <= max(IMPORT, (FLOATS * float(abs(y).max()) + UNIT) / span):
        return "import", f"the imported model is off by {100 * imported:.3g} % of the output range"
    if not fixedToo:
        return "right", ""
    with tempfile.TemporaryDirectory() as temporary:
        compiled = subprocess.run([sdc, "compile", *flags, "-o", f"{temporary}/model.sdb"], capture_output=True, text=True)
    why = f"off by {100 * fixed:.3g} % of the output range"
    if compiled.returncode != 0:
        return "crashed", f"checked, but not compiled: {compiled.stderr.strip()}"
    if "warning:" in compiled.stderr:
        return ("alarm" if fixed <= HARMLESS else "careful" if fixed <= FIXED else "warned"), why
    return ("right" if fixed <= FIXED else "silent"), why


def main(sdc, folder, flag=None):
    cases = sorted(os.path.dirname(path) for path in glob.glob(f"{folder}/*/y.npy"))
    counts = Counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for case, (verdict, why) in zip(cases, pool.map(lambda each: judge(sdc, each, flag is None), cases)):
            counts[verdict] += 1
            if verdict in ("silent", "import", "crashed", "refused", "skipped"):
                print(f"{verdict:8} {case}: {why}")
    print(f"{len(cases)} networks of {folder}")
    for verdict, meaning in ROWS.items():
        if counts[verdict]:
            print(f"{counts[verdict]:6} {meaning}")
    return 1 if any(counts[bad] for bad in ("crashed", "import", "silent")) or not cases else 0


sys.exit(main(*sys.argv[1:]))

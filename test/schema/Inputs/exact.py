"""exact.py SD_RUN PROGRAM FOLDER: scores 4 x of all x = k / 1000 against the thresholds that findings a, b, c have."""
import math
import subprocess
import sys

sd_run, program, folder = sys.argv[1:]
step = 1 / 1024  # what the record is rounded to
xs = [round(k / 1000 / step) * step for k in range(-1000, 1001)]
with open(folder + "/exact.csv", "w") as out:
    out.writelines(f"{x!r},{x!r},{x!r}\n" for x in xs)
text = subprocess.run([sd_run, "--local", program, "--input", folder + "/exact.csv", "--preprocess", "dealer"],
                      check=True, capture_output=True, text=True).stdout.splitlines()
logits = [math.log(p / (1 - p)) for p in (0.99, 0.25, 0.5)]
for i, (x, line) in enumerate(zip(xs, text, strict=True)):
    marks = [part.rsplit(": ", 1)[1] == "present" for part in line.split(", ")]
    if marks != [4 * x > t for t in logits]:
        sys.exit(f"record {i + 1}, scores {4 * x}: {line}")
print(f"{len(xs)} records, all decided exactly")

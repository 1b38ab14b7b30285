"""The same two records in many dialects: dialects.py SD_RUN M.sdb FOLDER. Prints the results, or what went wrong."""
import io
import re
import subprocess
import sys

import numpy

sd_run, program, folder = sys.argv[1:]
npy = io.BytesIO()
numpy.save(npy, numpy.array([[255, 0], [0.5, 255]], "f"))
files = {
    "plain.csv": "255,0\n0.5,255\n", "PLAIN.CSV": "255,0\n0.5,255\n", "semicolon.csv": "255;0\n0.5;255\n",
    "tabs.csv": "a\tb\n255\t0\n0.5\t255\n", "tabs.tsv": "255\t0\r\n0.5\t255\r\n",
    "quoted.csv": '"a","b"\n"255","0"\n"0.5","255"\n', "sep.csv": "sep=;\n255;0\n0.5;255\n",
    "cr.csv": "255,0\r0.5,255\r", "utf16.csv": "\ufeff255,0\n0.5,255\n".encode("utf-16-le"),
    "index.csv": ",a,b\n0,255,0\n1,0.5,255\n", "comma.csv": "255,0;0,0\n0,5;255\n", "bar.csv": "255|0\n0.5|255\n",
    "numbers.csv": "1,2\n255,0\n0.5,255\n", "name.csv": "a,b\n255,Smith\n", "xlsx.csv": "PK\x03\x04...",
    "other.txt": "255,0\n", "labels.tsv": "class\n0\n0\n",
}
for name, content in files.items():
    with open(f"{folder}/{name}", "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def show(name, path, *options, stdin=b""):
    run = subprocess.run([sd_run, "--local", program, "--preprocess", "dealer", "--input", path, *options], input=stdin,
                         capture_output=True, timeout=60)
    results = re.findall(r"record \d: values: \d", run.stdout.decode())
    error = run.stderr.decode().strip().splitlines()
    print(f"{name}: {' '.join(results)}" if run.returncode == 0 else f"{name}: exit {run.returncode}: {error[0]}")


for name in ("plain.csv", "PLAIN.CSV", "semicolon.csv", "tabs.csv", "tabs.tsv", "quoted.csv", "sep.csv", "cr.csv",
             "utf16.csv", "index.csv"):
    show(name, f"{folder}/{name}")
for name, *options in (("comma.csv", "--decimal", ","), ("bar.csv", "--delimiter", "|"),
                       ("numbers.csv", "--header", "yes")):
    show(" ".join((name, *options)), f"{folder}/{name}", *options)
show("- (plain)", "-", stdin=files["plain.csv"].encode())
show("- (npy)", "-", stdin=npy.getvalue())
for name in ("comma.csv", "name.csv", "xlsx.csv", "other.txt"):
    show(name, f"{folder}/{name}")
show("plain.csv --decimal x", f"{folder}/plain.csv", "--decimal", "x")

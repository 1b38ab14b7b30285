"""A hospital's batch that something ends: batch.py CASE SD_RUN M.sdb RECORDS FOLDER. Prints what became of it. Cases:

term     SIGTERM once some results are there; then --resume
int      SIGINT, without --resume
kill     SIGKILL; then --resume
service  the service is killed
twice    a second run writes to the same file meanwhile
other    SIGTERM; then --resume with other records, with another program, and without --resume
vanish   the output's folder is deleted
limit    files can't grow beyond 1000 bytes; then --resume without that limit
"""
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy

signal.signal(signal.SIGINT, signal.SIG_DFL)  # or children of a background job would ignore it

case, sd_run, program, records, folder = sys.argv[1:]
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
output, journal = f"{folder}/y.npy", f"{folder}/y.npy.journal"


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


service = subprocess.Popen([sd_run, "--party", "0", program, "--serve", "--address", "127.0.0.1:0", "--timeout", "20"],
                           stderr=subprocess.PIPE, text=True)
port = re.search(r":(\d+)$", service.stderr.readline().strip()).group(1)


def start(*options, records=records, program=program, preexec=None):
    return subprocess.Popen([sd_run, "--party", "1", program, "--input", records, "--output", output, "--timeout", "20",
                             "--address", f"127.0.0.1:{port}", *options], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, cwd=os.path.dirname(folder), preexec_fn=preexec)


def show(what, process):
    out, err = process.communicate(timeout=120)
    print("".join(f"{what}: {line}\n" for line in (out + err).splitlines()) + f"{what}: exit {process.returncode}")
    return err


def rows(path=output):
    print(f"rows: {len(numpy.load(path)) if os.path.exists(path) else 'none'}")


def wait_for_results():
    for _ in range(6000):
        if os.path.exists(journal) and os.stat(journal).st_size > 400:
            return
        time.sleep(0.01)
    sys.exit("no results came")


run = start(preexec=limit_files if case == "limit" else None)
if case != "limit":
    wait_for_results()
if case in ("term", "other"):
    run.send_signal(signal.SIGTERM)
elif case == "int":
    run.send_signal(signal.SIGINT)
elif case == "kill":
    run.kill()
elif case == "service":
    service.kill()
elif case == "twice":
    show("second", start())
elif case == "vanish":
    shutil.rmtree(folder)
err = show("run", run)
rows()
if case in ("term", "kill", "limit"):
    show("resumed", start("--resume"))
    rows()
    print("journal:", os.path.exists(journal))
if case == "other":
    show("without", start())
    other = folder + "/other.npy"
    numpy.save(other, numpy.ones((3, 2), "f"))
    show("records", start("--resume", records=other))
    show("program", start("--resume", program=program.replace("a.sdb", "b.sdb")))
for path in re.findall(r"the results are in (\S+)", err):
    path = os.path.join(os.path.dirname(folder), path)
    rows(path)
    os.remove(path)
service.kill()
service.communicate()

"""SIGTERM to a run in one process, once it has some results: local.py SD_RUN M.sdb RECORDS Y.npy"""
import os
import signal
import subprocess
import sys
import time

import numpy

sd_run, program, records, output = sys.argv[1:]
run = subprocess.Popen([sd_run, "--local", program, "--input", records, "--output", output], stderr=subprocess.PIPE,
                       text=True)
while run.poll() is None and not (os.path.exists(output + ".journal") and os.stat(output + ".journal").st_size > 400):
    time.sleep(0.01)
run.send_signal(signal.SIGTERM)
_, err = run.communicate(timeout=60)
print(f"{err.strip()}\nexit {run.returncode}\nrows: {len(numpy.load(output))}")

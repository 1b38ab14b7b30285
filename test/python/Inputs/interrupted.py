"""interrupted.py DIR: Ctrl-C while both parties run."""
import os
import signal
import sys

import numpy as np

import sdc

signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts this may ignore it
program = sdc.load(f"{sys.argv[1]}/m.sdb")
records = np.full((5_000, 30), 0.5)


def after_three(done, all_):
    if done == 3:
        os.kill(os.getpid(), signal.SIGINT)


try:
    program.run_local(records, progress=after_three)
    print("it ran to its end")
except KeyboardInterrupt:
    print("KeyboardInterrupt")
print("and again", program.run_local(records[:1]).records)

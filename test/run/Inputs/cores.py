"""cores.py COMMAND...: starts a process that listens, with core dumps allowed, and aborts it. Prints its own limits of core
files and whether it left one."""
import os
import re
import resource
import signal
import subprocess
import sys


def allow():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


process = subprocess.Popen(sys.argv[1:] + ["--address", "127.0.0.1:0"], stderr=subprocess.PIPE, preexec_fn=allow)
process.stderr.readline()
limits = open(f"/proc/{process.pid}/limits").read()
print("largest core file:", *re.search(r"Max core file size +(\S+) +(\S+)", limits).groups())
process.send_signal(signal.SIGABRT)
print("dumped:", os.WCOREDUMP(os.waitpid(process.pid, 0)[1]))

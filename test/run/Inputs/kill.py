"""Kills one party in the middle of a long session: kill.py 0|1 SD_RUN M.sdb RECORDS. Prints what the other one says."""
import re
import subprocess
import sys
import time

victim, sd_run, program, records = int(sys.argv[1]), *sys.argv[2:]
service = subprocess.Popen([sd_run, "--party", "0", program, "--address", "127.0.0.1:0", "--timeout", "20"],
                           stderr=subprocess.PIPE, text=True)
port = re.search(r":(\d+)$", service.stderr.readline().strip()).group(1)
client = subprocess.Popen([sd_run, "--party", "1", program, "--address", f"127.0.0.1:{port}", "--timeout", "20",
                           "--input", records], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
parties = [service, client]
time.sleep(1)
assert all(party.poll() is None for party in parties), "the session is over already"
parties[victim].kill()
out, err = parties[1 - victim].communicate(timeout=30)
print(f"party {1 - victim}: {out or ''}{err.strip()}\nexit {parties[1 - victim].returncode}")
parties[victim].communicate()

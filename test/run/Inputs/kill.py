"""Kills one party in the middle of a long session: kill.py 0|1 SD_RUN M.sdb RECORDS. Prints what the other one says.

The parties talk through this process, which counts their bytes to know that they are at work.
"""
import re
import socket
import subprocess
import sys
import threading

victim, sd_run, program, records = int(sys.argv[1]), *sys.argv[2:]
AT_WORK = 1 << 20
passed, at_work = 0, threading.Event()


def forward(source, sink):
    global passed
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
            passed += len(data)
            if passed > AT_WORK:
                at_work.set()
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


service = subprocess.Popen([sd_run, "--party", "0", program, "--address", "127.0.0.1:0"], stderr=subprocess.PIPE,
                           text=True)
port = int(re.search(r":(\d+)$", service.stderr.readline().strip()).group(1))
between = socket.create_server(("127.0.0.1", 0))
client = subprocess.Popen([sd_run, "--party", "1", program, "--address", f"127.0.0.1:{between.getsockname()[1]}",
                           "--input", records], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
near = between.accept()[0]
far = socket.create_connection(("127.0.0.1", port))
for end in (near, far):  # or Nagle's algorithm holds back each small message for a delayed acknowledgement
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for ends in ((near, far), (far, near)):
    threading.Thread(target=forward, args=ends, daemon=True).start()
assert at_work.wait(60), "the session does not get going"
parties = [service, client]
parties[victim].kill()
out, err = parties[1 - victim].communicate(timeout=70)
print(f"party {1 - victim}: {out or ''}{err.strip()}\nexit {parties[1 - victim].returncode}")
parties[victim].communicate()

"""Services whose log is a pipe that nobody reads, a pipe without a reader, a full device, and one that junk fills:
logs.py SD_RUN M.sdb RECORDS. After 300 junk connections each must serve a hospital, and end when it is told to."""
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys

sd_run, program, records = sys.argv[1:]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def case(name, stderr, after=lambda: "", before=lambda: None):
    port = free_port()
    service = subprocess.Popen([sd_run, "--party", "0", program, "--serve", "--address", f"127.0.0.1:{port}"],
                               stderr=stderr)
    hospital = [sd_run, "--party", "1", program, "--input", records, "--address", f"127.0.0.1:{port}", "--timeout", "20"]
    subprocess.run(hospital, capture_output=True, timeout=60)  # it listens now
    before()
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", port)) as junk:
            junk.sendall(b"GET / HTTP/1.1\r\n\r\n")
    code = subprocess.run(hospital, capture_output=True, timeout=60).returncode
    service.send_signal(signal.SIGTERM)
    print(f"{name}: hospital {code}, service {service.wait(60)}{after()}", flush=True)


read, write = os.pipe()
fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ: soon full
case("stalled", write)
os.close(read)
os.close(write)
read, write = os.pipe()
case("closed", write, before=lambda: os.close(read))
os.close(write)
with open("/dev/full", "w") as full:
    case("full", full)
read, write = os.pipe()
fcntl.fcntl(write, 1031, 1 << 20)


def count():
    os.close(write)
    with os.fdopen(read) as log:
        return f", at most 40 lines: {len(re.findall('sd-run: ', log.read())) <= 40}"


case("junk", write, after=count)

"""peak_memory.py SDC SD_RUN DIR NAME...: runs both parties of DIR/NAME.sdb on random records, as two processes, and
holds the most memory that was resident in each against what `sdc inspect` says: within a fifth of it.

The peak is VmHWM, read until the process ends: getrusage's also counts what this process has, of which the others begin
as copies. A build with sanitizers takes memory of its own; there is nothing to compare then, and it says so.
"""
import array
import json
import math
import random
import subprocess
import sys
import time

SANITIZED_BYTES = 40e6  # of a program that does nothing


def writeRecord(path, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}, }}".ljust(117) + "\n"
    values = array.array("f", (random.random() for _ in range(math.prod(shape))))
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + values.tobytes())


def peakOf(processes):
    """Bytes, by name; of processes that run until they end by themselves."""
    peak = dict.fromkeys(processes, 0)
    running = dict(processes)
    while running:
        for name, process in list(running.items()):
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                lines = [line for line in status if line.startswith("VmHWM")]
            if lines:  # none of a process that has ended
                peak[name] = int(lines[0].split()[1]) * 1024
            if process.poll() is not None:
                del running[name]
                if process.returncode:
                    for other in running.values():
                        other.kill()
                    sys.exit(f"the {name} ended with {process.returncode}")
        time.sleep(0.001)
    return peak


def takesMemoryOfItsOwn(program):
    return peakOf({"help": subprocess.Popen([program, "--help"], stdout=subprocess.DEVNULL)})["help"] > SANITIZED_BYTES


def listen(sd_run, program):
    """The service, on a free port, and its address."""
    service = subprocess.Popen([sd_run, "--party", "0", program, "--address", "127.0.0.1:0"], stderr=subprocess.PIPE)
    for line in service.stderr:
        if b"listening on" in line:
            return service, line.split()[-1].decode()
    sys.exit("the service did not start")


def measure(sd_run, program, record):
    service, address = listen(sd_run, program)
    hospital = subprocess.Popen([sd_run, "--party", "1", program, "--address", address, "--input", record],
                                stdout=subprocess.DEVNULL)
    return peakOf({"service": service, "hospital": hospital})


def main(sdc, sd_run, folder, names):
    if takesMemoryOfItsOwn(sd_run):
        return print("SKIPPED: this build takes memory of its own; nothing is compared")
    wrong = 0
    for name in names:
        program, record = f"{folder}/{name}.sdb", f"{folder}/{name}.npy"
        inspected = json.loads(subprocess.check_output([sdc, "inspect", program, "--json"]))
        writeRecord(record, inspected["inputs"][0]["shape"])
        measured = measure(sd_run, program, record)
        for party, found in measured.items():
            said = inspected["cost"]["memory"][party]["peak_bytes"]
            far = abs(said / found - 1) > 0.2
            wrong += far
            print(f"{name:10} {party:8} {said / 1e6:7.1f} MB said, {found / 1e6:7.1f} MB taken{' WRONG' * far}")
    sys.exit(wrong > 0)


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])

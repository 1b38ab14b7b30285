"""A service in trouble: service.py CASE SD_RUN SD_DEAL M.sdb RECORDS. Prints what the parties say. Cases:

stop    SIGTERM in the middle of a session, and before it SIGINT, which the service was started to ignore
kill    the same, twice
dealer  the service can't reach its dealer, the hospital can reach its own
turn    a hospital waits for its turn for longer than the dealer waits for a party's partner

But for dealer, the parties talk through this process, which holds them up meanwhile.
"""
import re
import signal
import socket
import subprocess
import sys
import threading
import time

case, sd_run, sd_deal, program, records = sys.argv[1:]
signal.signal(signal.SIGINT, signal.SIG_IGN if case == "stop" else signal.SIG_DFL)  # for what is started here
AT_WORK = 1 << 12 if case == "turn" else 1 << 16  # a dealer leaves the parties little to say
passed, at_work, go_on = 0, threading.Event(), threading.Event()


def start(*command):
    """Starts a listening process; gives it and the port that it prints."""
    process = subprocess.Popen([*command, "--address", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
    return process, re.search(r":(\d+)$", process.stderr.readline().strip()).group(1)


def consult(port, *options):
    return subprocess.Popen([sd_run, "--party", "1", program, "--input", records, "--timeout", "20",
                             "--address", f"127.0.0.1:{port}", *options],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def show(name, process):
    _, err = process.communicate(timeout=60)
    print("".join(f"{name}: {line}\n" for line in err.splitlines()) + f"{name}: exit {process.returncode}")


def forward(source, sink):
    global passed
    try:
        while data := source.recv(1 << 14):
            passed += len(data)
            if passed > AT_WORK:
                at_work.set()
                go_on.wait(60)
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


if case == "dealer":
    dealer, dealer_port = start(sd_deal)
    service, port = start(sd_run, "--party", "0", program, "--serve", "--timeout", "1",
                          "--preprocess", "dealer=127.0.0.1:1")
    show("hospital", consult(port, "--preprocess", f"dealer=127.0.0.1:{dealer_port}"))
    for process in (service, dealer):
        process.terminate()
    show("service", service)
    show("dealer", dealer)
    sys.exit()

options = []
if case == "turn":
    dealer, dealer_port = start(sd_deal, "--timeout", "1")
    options = ["--preprocess", f"dealer=127.0.0.1:{dealer_port}"]
service, port = start(sd_run, "--party", "0", program, "--serve", "--sessions", "1", "--timeout", "20", *options)
between = socket.create_server(("127.0.0.1", 0))
hospital = consult(between.getsockname()[1], *options)
near = between.accept()[0]
far = socket.create_connection(("127.0.0.1", port))
for ends in ((near, far), (far, near)):
    threading.Thread(target=forward, args=ends, daemon=True).start()
assert at_work.wait(60), "the session does not get going"
if case == "turn":
    second = consult(port, *options)
    time.sleep(3)
    go_on.set()
    show("first", hospital)
    show("second", second)
    for process in (service, dealer):
        process.terminate()
        process.communicate(timeout=60)
    sys.exit()
if case == "stop":
    for _ in range(2):
        service.send_signal(signal.SIGINT)
service.send_signal(signal.SIGTERM)
print(f"service: {service.stderr.readline().strip()}")
if case == "kill":
    service.send_signal(signal.SIGINT)
    service.wait(60)
go_on.set()
show("hospital", hospital)
show("service", service)

"""The same session direct and through a relay without TCP_NODELAY, in turn: relay.py SD_RUN M.sdb RECORDS FOLDER.
Compares the medians of the seconds a record."""
import json
import re
import socket
import statistics
import subprocess
import sys
import threading

sd_run, program, records, folder = sys.argv[1:]
service = subprocess.Popen([sd_run, "--party", "0", program, "--serve", "--address", "127.0.0.1:0"],
                           stderr=subprocess.PIPE, text=True)
port = int(re.search(r":(\d+)$", service.stderr.readline().strip()).group(1))
relay = socket.create_server(("127.0.0.1", 0))


def forward(source, sink):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve():
    while True:
        near = relay.accept()[0]
        far = socket.create_connection(("127.0.0.1", port))
        for ends in ((near, far), (far, near)):
            threading.Thread(target=forward, args=ends, daemon=True).start()


threading.Thread(target=serve, daemon=True).start()


def seconds(to):
    stats = folder + "/stats.json"
    subprocess.run([sd_run, "--party", "1", program, "--input", records, "--address", f"127.0.0.1:{to}", "--stats", stats,
                    "--timeout", "60"], check=True, stdout=subprocess.DEVNULL, timeout=300)
    with open(stats) as file:
        figures = json.load(file)
    return [a + b for a, b in zip(figures["offline"]["record_seconds"], figures["online"]["record_seconds"])]


direct, relayed = [], []
for _ in range(3):
    direct += seconds(port)
    relayed += seconds(relay.getsockname()[1])
service.kill()
service.communicate()
ratio = statistics.median(direct) / statistics.median(relayed)
print(f"direct {statistics.median(direct) * 1e3:.2f} ms a record, relayed {statistics.median(relayed) * 1e3:.2f} ms")
print(f"at least a fifth of the direct speed: {ratio >= 0.2}")

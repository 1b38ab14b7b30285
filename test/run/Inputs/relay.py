"""A session through a relay that holds small writes back (Nagle's algorithm is on): relay.py SD_RUN M.sdb RECORDS STATS.

What a party sends before it waits has to leave in one write: several small ones would wait here for an acknowledgement
each, which the peer's system delays by 40 ms. Speed is not measured, since machines are busy: the segments that arrive
here are counted, and have to be fewer than the messages. They would be more if each message were a write of its own.
"""
import json
import re
import select
import socket
import struct
import subprocess
import sys

sd_run, program, records, stats = sys.argv[1:]
service = subprocess.Popen([sd_run, "--party", "0", program, "--address", "127.0.0.1:0"], stderr=subprocess.PIPE,
                           text=True)
port = int(re.search(r":(\d+)$", service.stderr.readline().strip()).group(1))
between = socket.create_server(("127.0.0.1", 0))
client = subprocess.Popen([sd_run, "--party", "1", program, "--input", records, "--stats", stats, "--address",
                           f"127.0.0.1:{between.getsockname()[1]}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
near = between.accept()[0]
far = socket.create_connection(("127.0.0.1", port))
other = {near: far, far: near}
open_ends = [near, far]
while open_ends:
    for source in select.select(open_ends, [], [])[0]:
        try:
            data = source.recv(1 << 18)
            if data:
                other[source].sendall(data)
        except OSError:
            data = b""
        if not data:
            open_ends.remove(source)
            try:
                other[source].shutdown(socket.SHUT_WR)
            except OSError:
                pass
            continue
out, err = client.communicate(timeout=120)
service.communicate(timeout=120)
print(f"hospital: exit {client.returncode}, {len(out.splitlines())} results")
party = json.load(open(stats))
messages = sum(party[phase][f"messages_{way}"] for phase in ("setup", "offline", "online") for way in ("sent", "received"))
SEGMENTS = 152  # offset of tcpi_data_segs_in in Linux's struct tcp_info
segments = sum(struct.unpack_from("I", end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), SEGMENTS)[0]
               for end in (near, far))
print("fewer segments than messages:", segments < messages)

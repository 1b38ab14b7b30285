"""A bad peer: listens on a free port, runs sd-run --party 1 against it, and sends it FILE's bytes before hanging up.

peer.py FILE SD_RUN ARGS. Prints what sd-run wrote and its exit code.
"""
import socket
import subprocess
import sys
import threading

with open(sys.argv[1], "rb") as file:
    greeting = file.read()
listener = socket.create_server(("127.0.0.1", 0))


def misbehave():
    connection, _ = listener.accept()
    try:
        connection.sendall(greeting)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    except OSError:
        pass  # it may hang up at once


threading.Thread(target=misbehave, daemon=True).start()
port = listener.getsockname()[1]
client = subprocess.run([sys.argv[2], "--party", "1", "--address", f"127.0.0.1:{port}", "--timeout", "2"] + sys.argv[3:],
                        capture_output=True, text=True, timeout=60)
print(client.stdout + client.stderr + f"exit {client.returncode}")

#!/usr/bin/env python3
"""A service on three workers behind HAProxy, with one pool of prepared inferences in PostgreSQL, on this machine.

    cluster.py BIN MODEL.sdb FOLDER

BIN is where sd-serve and sd-run are; FOLDER is made and holds everything. Runs until Ctrl-C. Needs haproxy and postgresql.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
MAKE_CERTS = HERE.parent.parent / "scripts/make-certs"


def missing():
    """What this machine lacks."""
    lacks = [] if haproxy() else ["haproxy"]
    return lacks + ([] if postgres() else ["postgresql-15"])


def haproxy():
    return shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")


def postgres():
    return max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=pathlib.Path()).parent.as_posix().rstrip(".")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not come within {seconds} s")
        time.sleep(0.05)


class Database:
    """A server in a folder of its own, on a socket there alone. As root it runs as user postgres."""

    def __init__(self):
        self.bin = postgres()
        self.folder = tempfile.mkdtemp(dir="/tmp")  # that the other user can reach, and short enough for a socket
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        self.call("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "postgres")
        self.start()

    def call(self, program, *arguments):
        subprocess.run([*self.as_user, f"{self.bin}/{program}", *arguments], check=True, cwd="/",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        self.call("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", "-o",
                  f"-c listen_addresses= -k {self.folder}", "start")

    def stop(self, how="immediate"):
        self.call("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", how, "stop")

    def sql(self, text):
        return subprocess.run([f"{self.bin}/psql", "-h", self.folder, "-U", "postgres", "-qAtX", "-c", text],
                              check=True, capture_output=True, text=True).stdout.strip()

    def url(self):
        # Elsewhere a host, sslmode=verify-full, and the password in PGPASSFILE.
        return f"postgresql:///postgres?host={self.folder}&user=postgres"

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder)


class Worker:
    def __init__(self, tools, folder, name, values):
        self.name, self.folder, self.tools = name, folder, tools
        self.port, self.status = free_port(), free_port()
        self.settings = folder / f"{name}.toml"
        self.settings.write_text((HERE / "worker.toml").read_text().format(
            address=f"127.0.0.1:{self.port}", status=f"127.0.0.1:{self.status}", **values))
        self.process = None

    def start(self):
        with open(self.folder / f"{self.name}.log", "a") as log:
            self.process = subprocess.Popen([f"{self.tools}/sd-serve", self.settings], stderr=log)

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit(f"{self.name} has ended; see {self.folder / (self.name + '.log')}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.status}/readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def drain(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()


class Cluster:
    def __init__(self, tools, program, folder, workers=3):
        self.tools, self.program, self.folder = tools, pathlib.Path(program).resolve(), pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True)
        self.balancer, self.workers = None, []
        pki = self.folder / "pki"
        for what in (["authority"], ["service", "127.0.0.1"], ["hospital", "st-mary.example"]):
            subprocess.run([MAKE_CERTS, pki, *what], check=True, stdout=subprocess.DEVNULL)
        self.database = Database()
        values = {"pki": pki, "program": self.program, "store": self.database.url()}
        self.workers = [Worker(tools, self.folder, f"worker{i}", values) for i in range(1, workers + 1)]

    def __enter__(self):
        for worker in self.workers:  # the first one makes the tables and the key that all use
            worker.start()
            wait_for(worker.name, worker.is_ready)
        self.address = f"127.0.0.1:{free_port()}"
        servers = "\n".join(f"    server {w.name} 127.0.0.1:{w.port} check port {w.status}" for w in self.workers)
        configuration = self.folder / "haproxy.cfg"
        configuration.write_text((HERE / "haproxy.cfg").read_text().format(address=self.address, servers=servers))
        with open(self.folder / "haproxy.log", "w") as log:
            self.balancer = subprocess.Popen([haproxy(), "-f", configuration], stdout=log, stderr=log)
        return self

    def hospital(self, *options):
        """The hospital's command line, to the balancer."""
        pki, name = self.folder / "pki", "st-mary.example"
        return [f"{self.tools}/sd-run", "--party", "1", str(self.program), "--address", self.address, "--tls-cert",
                f"{pki}/{name}.pem", "--tls-key", f"{pki}/{name}.key", "--tls-ca", f"{pki}/ca.pem", *options]

    def __exit__(self, *_):
        for process in [self.balancer] + [w.process for w in self.workers]:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        self.database.remove()


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    if missing():
        raise SystemExit(f"this machine lacks {' and '.join(missing())}")
    with Cluster(*sys.argv[1:]) as cluster:
        print("\n".join(["The service is there. Prepare, then ask:", "",
                         "    " + " ".join(cluster.hospital("--store", "hospital-store", "--prepare", "20")),
                         "    " + " ".join(cluster.hospital("--store", "hospital-store", "--input", "RECORDS")), "",
                         "What was spent, and by which worker:", "",
                         f"    {cluster.database.bin}/psql -h {cluster.database.folder} -U postgres -c "
                         "'SELECT worker, count(*) FROM sd_spent GROUP BY worker'", "",
                         "Workers: " + ", ".join(f"{w.name} (process {w.process.pid})" for w in cluster.workers)
                         + ". Ctrl-C ends it."]), flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()

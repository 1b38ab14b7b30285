"""watch.py WORK SD-RUN: a watched folder, its results and its ledger."""
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

work, sd_run = sys.argv[1:]
PATIENCE = 120  # seconds; nothing here waits so long unless it is broken


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what}: it did not come"
        time.sleep(0.02)


class Watch:
    def __init__(self, name, *flags, party=("--local",)):
        self.inside, self.out = f"{work}/{name}/in", f"{work}/{name}/out"
        os.makedirs(self.inside, exist_ok=True)
        self.flags = [sd_run, *party, f"{work}/a.sdb", "--watch", self.inside, "--results", self.out,
                      "--rescan", "0.2", *flags]
        self.log = open(f"{work}/{name}/log", "a+")

    def start(self):
        self.process = subprocess.Popen(self.flags, stderr=self.log)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def said(self):
        return open(self.log.name).read()

    def ledger(self):
        try:
            text = open(f"{self.out}/ledger.jsonl").read()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def finished(self):
        return [(line["file"], line["event"]) for line in self.ledger() if line["event"] != "begin"]

    def put(self, name, text):
        with open(f"{self.inside}/{name}", "w") as file:
            file.write(text)

    def result(self, name):
        return json.load(open(f"{self.out}/{name}"))


def arrivals():
    watch = Watch("arrivals", "--format", "json,csv", "--audit", f"{work}/audit")
    watch.put("0-before.csv", "9,9\n")
    watch.start()
    until("the first file", lambda: len(watch.finished()) == 1)
    order = ["z.csv", "a.csv", "broken.csv", "m.csv"]
    for name in order:
        watch.put(name, "no numbers\nat all\n" if name == "broken.csv" else "1,2\n")
    until("those closed", lambda: len(watch.finished()) == 5)
    watch.put(".hidden.csv", "3,4\n3,5\n")
    os.rename(f"{watch.inside}/.hidden.csv", f"{watch.inside}/two.csv")
    until("the one renamed", lambda: len(watch.finished()) == 6)
    watch.put("a.csv", "1,2\n")  # the same name and content: the same record
    watch.put("copy.csv", "1,2\n")  # another name
    until("the copy", lambda: len(watch.finished()) == 7)
    watch.put("a.csv", "5,6\n")  # another content
    until("the other content", lambda: len(watch.finished()) == 8)
    os.makedirs(f"{watch.inside}/p1")
    watch.put("p1/far.csv", "250,260\n")  # outside the program's range
    until("the one in a folder", lambda: len(watch.finished()) == 9)
    watch.stop()
    assert watch.process.returncode == 0
    assert watch.finished() == [("0-before.csv", "done"), *((n, "broken" if n == "broken.csv" else "done") for n in order),
                                ("two.csv", "done"), ("copy.csv", "done"), ("a.csv", "done"), ("p1/far.csv", "broken")]
    made = {os.path.relpath(os.path.join(folder, name), watch.out)
            for folder, _, names in os.walk(watch.out) for name in names}
    whole = {f"{name}.csv" for name in ("0-before", "z", "a", "m", "two", "copy")} | {"a.csv~2"}
    assert made == ({f"{name}{ending}" for name in whole for ending in (".json", ".csv")} |
                    {"broken.csv.error.txt", "p1/far.csv.error.txt", "ledger.jsonl"}), made
    assert len(watch.result("two.csv.json")["records"]) == 2
    assert watch.result("a.csv.json")["records"] != watch.result("a.csv~2.json")["records"]
    assert "broken.csv" in open(f"{watch.out}/broken.csv.error.txt").read()
    assert all(os.stat(os.path.join(watch.out, name)).st_mode & 0o77 == 0 for name in made)
    assert len(open(f"{work}/audit").readlines()) == 8
    second = subprocess.Popen(watch.flags, stderr=subprocess.PIPE, text=True)
    until("the second", lambda: "watching" in second.stderr.readline())
    assert "another process" in subprocess.run(watch.flags, stderr=subprocess.PIPE, text=True, timeout=PATIENCE).stderr
    second.send_signal(signal.SIGTERM)
    assert "stopped by a signal after 0 files" in second.communicate(timeout=PATIENCE)[1]


def killed():
    """Killed again and again while files come: each has one result, and one end in the ledger."""
    watch = Watch("killed")
    names = [f"{i:02}.csv" for i in range(24)]
    random.seed(7)
    for at, name in enumerate(names):
        if at % 3 == 0:
            watch.start()
        watch.put(name, f"{at},1\n")
        time.sleep(random.random() * 0.1)  # when it strikes is left to chance; what must hold is not
        if at % 3 == 2:
            watch.stop(signal.SIGKILL)
    watch.start()
    until("all", lambda: len(watch.finished()) >= len(names))
    assert watch.stop() == 0
    assert sorted(watch.finished()) == [(name, "done") for name in names], watch.finished()
    assert sorted(os.listdir(watch.out)) == sorted([f"{name}.json" for name in names] + ["ledger.jsonl"])
    # A result whose line was lost is not computed again; what a dying process left half-written goes.
    lines = open(f"{watch.out}/ledger.jsonl").readlines()
    last = json.loads(lines[-1])["file"]
    lines = [line for line in lines if last not in line or '"begin"' in line]
    open(f"{watch.out}/ledger.jsonl", "w").writelines([*lines, lines[-1][:20]])
    open(f"{watch.out}/.{last}.json.99999.tmp", "w").close()
    before = os.stat(f"{watch.out}/{last}.json").st_mtime_ns
    watch.start()
    until("the lost line", lambda: (last, "done") in watch.finished())
    assert watch.stop() == 0
    assert os.stat(f"{watch.out}/{last}.json").st_mtime_ns == before
    assert not [name for name in os.listdir(watch.out) if name.startswith(".")]


def away():
    """The service comes late, and dies between two files: nothing is lost, and no file is called broken."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = ("--address", f"127.0.0.1:{port}")
    watch = Watch("away", *address, "--timeout", "1", party=("--party", "1"))

    def serve():
        process = subprocess.Popen([sd_run, "--party", "0", f"{work}/a.sdb", "--serve", *address],
                                   stderr=subprocess.PIPE, text=True)
        assert "listening" in process.stderr.readline()
        return process

    watch.start()
    watch.put("a.csv", "1,2\n")
    until("the second attempt", lambda: "trying again in 2 s" in watch.said())
    service = serve()
    until("the first result", lambda: watch.finished() == [("a.csv", "done")])
    service.kill()
    service.communicate()
    watch.put("b.csv", "1,2\n")
    until("the third attempt", lambda: watch.said().count("trying again in 1 s") == 2)
    service = serve()
    until("the second result", lambda: len(watch.finished()) == 2)
    assert watch.result("b.csv.json")["service"].startswith("127.0.0.1:")
    service.kill()
    service.communicate()
    watch.put("c.csv", "1,2\n")
    until("the last attempt", lambda: "c.csv" in watch.said())
    assert watch.stop() == 0  # while it waits
    assert [line["event"] for line in watch.ledger()][-1] == "begin"
    service = serve()
    watch.start()
    until("the third result", lambda: watch.finished() == [(f"{n}.csv", "done") for n in "abc"])
    assert watch.stop() == 0
    service.kill()
    service.communicate()


def stopped():
    """A signal in the middle of a long table: the record at work ends, and the whole file is run by the next."""
    watch = Watch("stopped")
    watch.start()
    watch.put("long.csv", "1,2\n" * 3000)
    until("its beginning", lambda: watch.ledger())
    assert watch.stop() == 0
    if watch.finished():
        return  # a machine so fast that it was done
    assert os.listdir(watch.out) == ["ledger.jsonl"]
    watch.start()
    until("all of it", lambda: watch.finished() == [("long.csv", "done")])
    assert watch.stop() == 0
    assert len(watch.result("long.csv.json")["records"]) == 3000


def documents():
    """A format with a file for each record: none takes another's place."""
    watch = Watch("documents", "--format", "dicom-sr")
    watch.start()
    for name in ("a.csv-2.csv", "b.csv"):
        watch.put(name, "1,2\n3,4\n")
    until("both", lambda: len(watch.finished()) == 2)
    os.rename(f"{watch.out}/b.csv.sr.dcm", f"{watch.out}/c.csv-2.sr.dcm")  # as if of a record c.csv-2
    watch.put("c.csv", "1,2\n3,4\n")
    until("the third", lambda: len(watch.finished()) == 3)
    assert watch.stop() == 0
    assert sorted(os.listdir(watch.out)) == sorted(
        ["a.csv-2.csv.sr.dcm", "a.csv-2.csv-2.sr.dcm", "b.csv-2.sr.dcm", "c.csv-2.sr.dcm", "c.csv~2.sr.dcm",
         "c.csv~2-2.sr.dcm", "ledger.jsonl"]), os.listdir(watch.out)


for each in (arrivals, killed, away, stopped, documents):
    each()
    print(f"{each.__name__}: as expected", flush=True)

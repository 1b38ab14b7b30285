"""A hospital that keeps its store full, and what sd-store says of it: keep.py SD_SERVE PROGRAM FOLDER."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

serve, program, folder = sys.argv[1:]
tools, folder = os.path.dirname(serve), pathlib.Path(folder)
folder.mkdir()


def start(name, more=""):
    settings = folder / f"{name}.toml"
    settings.write_text(f"""address = "127.0.0.1:0"
[[model]]
name = "model"
program = "{program}"
store = "dir:{name}-store"
{more}
[[hospital]]
name = "all"
certificate = "none"
models = "any"
""")
    service = subprocess.Popen([serve, settings], stderr=subprocess.PIPE, text=True)
    while True:
        if found := re.search(r"listening .*?address=(\S+)", service.stderr.readline()):
            return service, found[1]


def run(what, *command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, cwd=folder)
    text = done.stdout.strip() or done.stderr.strip()
    if what.startswith("keep"):
        text = " | ".join(line.removeprefix("sd-run: ") for line in done.stderr.splitlines())
    print(f"{what}: exit {done.returncode}: {text}", flush=True)


def hospital(what, address, *flags):
    run(what, f"{tools}/sd-run", "--party", 1, program, "--address", address, "--store", "store", *flags)


service, address = start("service")
for count in (5, 5, 7):
    hospital(f"keep {count}", address, "--keep", count)
# Another service has pools of its own, and limits.
other, there = start("other", "keep = 3\nprepare = 2\nfresh = false")
for count in (2, 9, 9):
    hospital(f"keep {count} there", there, "--keep", count)
hospital("prepare there", there, "--prepare", 4)
record = folder / "record.csv"
record.write_text("3,4\n" * 4)
hospital("four there", there, "--input", record)
hospital("four there, fresh", there, "--input", record, "--if-empty", "fresh")
(folder / "eight.csv").write_text("3,4\n" * 8)
hospital("eight", address, "--input", folder / "eight.csv")
hospital("keep eight, fresh", address, "--input", folder / "eight.csv", "--if-empty", "fresh", "--output", folder / "y.npy")
other.terminate()
other.communicate()
service.terminate()
service.communicate()
shutil.rmtree(folder / "store")
shutil.rmtree(folder / "service-store")
service, address = start("service")
hospital("keep 7", address, "--keep", 7)
service.terminate()
service.communicate()
store = f"{tools}/sd-store"
run("ls", store, "ls", "store")
run("verify", store, "verify", "dir:store")
ready = sorted((folder / "store").glob("*/*.ready"))
damaged = bytearray(ready[0].read_bytes())
damaged[100] ^= 1
ready[0].write_bytes(damaged)
with open(ready[1], "ab") as file:
    file.write(b"x")
run("verify", store, "verify", "store")
run("verify", store, "verify", "store", "--remove")
(ready[0].parent / (ready[0].stem[:-1] + "9.part")).touch(mode=0o600)
run("prune", store, "prune", "store")
run("prune", store, "prune", "store", "--pool", "nowhere")
run("prune", store, "prune", "store", "--all")
run("ls", store, "ls", "store")
run("ls", store, "ls", "none")

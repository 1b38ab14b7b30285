"""orthanc.py WORK SDC SD-RUN ROOT SAMPLES: the example with a real Orthanc."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

work, sdc, sd_run, root, samples = sys.argv[1:]
sys.path.insert(0, f"{root}/test/data/Inputs")
import programs

PATIENCE = 120
ORTHANC = "/usr/sbin/Orthanc"


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what}: it did not come"
        time.sleep(0.05)


http, dicom = port(), port()
url = f"http://127.0.0.1:{http}"


def ask(path, body=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, body), timeout=PATIENCE) as answer:
            return json.load(answer)
    except (ConnectionError, urllib.error.URLError):
        return None


settings = json.load(open(f"{root}/examples/orthanc/orthanc.json"))
settings |= {"StorageDirectory": f"{work}/db", "IndexDirectory": f"{work}/db", "HttpPort": http, "DicomPort": dicom,
             "LuaScripts": [f"{root}/examples/orthanc/sdc.lua"]}
json.dump(settings, open(f"{work}/orthanc.json", "w"))
inside, out = f"{work}/in", f"{work}/out"
os.makedirs(inside)
programs.compile(work, sdc, "image", [1, 16, 16], {"height": 16, "width": 16, "channels": ["grey"]})
watch = subprocess.Popen([sd_run, "--local", f"{work}/image.sdb", "--watch", inside, "--results", out, "--format", "dicom-sr"],
                         stderr=open(f"{work}/watch.log", "w"))
server = subprocess.Popen([ORTHANC, f"{work}/orthanc.json"], env={**os.environ, "SDC_WATCH": inside},
                          stdout=open(f"{work}/orthanc.log", "w"), stderr=subprocess.STDOUT)
try:
    until("Orthanc", lambda: ask("/system") is not None)
    images = ["CT_small.dcm", "MR_small.dcm"]
    subprocess.run(["storescu", "127.0.0.1", str(dicom), "-aec", "SDC", *(f"{samples}/{name}" for name in images[:1])], check=True)
    for name in [*images[1:], "test-SR.dcm"]:
        assert ask("/instances", open(f"{samples}/{name}", "rb").read()) is not None, name

    def modality(instance):
        return ask(f"/instances/{instance}/simplified-tags").get("Modality")

    def ofKind(isReport):
        return [each for each in ask("/instances") if (modality(each) == "SR") == isReport]

    stored, theirs = ofKind(False), ofKind(True)
    print(f"stored: {len(stored)} images, {len(theirs)} report of another maker", flush=True)
    wanted = {f"{each}.dcm.sr.dcm" for each in stored}
    until("the results", lambda: os.path.isdir(out) and wanted <= set(os.listdir(out)))

    def give():
        command = [sys.executable, f"{root}/examples/orthanc/return-reports.py", out, url]
        return len(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())

    # The last line of the ledger comes after the last result.
    until("the ledger", lambda: sum('"event":"begin"' not in line for line in open(f"{out}/ledger.jsonl")) == len(stored))
    made = set(os.listdir(out)) - {"ledger.jsonl"}
    print(f"results: {len(made & wanted)}, {'none broken' if made == wanted else made}", flush=True)
    print(f"returned: {give()} reports, then {give()}", flush=True)
    ours = [each for each in ofKind(True) if each not in theirs]

    def study(instance):
        return ask(f"/instances/{instance}/simplified-tags")["StudyInstanceUID"]

    print("in the images' studies:", sorted(map(study, ours)) == sorted(map(study, stored)), flush=True)
    print("nothing came back:", sorted(os.listdir(inside)) == sorted(f"{each}.dcm" for each in stored), flush=True)
finally:
    for process in (watch, server):
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)

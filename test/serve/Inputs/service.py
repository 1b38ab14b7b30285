"""A service of two models with hospitals that it knows and some that it does not: service.py SD_SERVE FOLDER A.sdb B.sdb
RECORDS. Prints what each hospital is told, and what logs and figures say afterwards. Quotas count by UTC days: if one ends
meanwhile, all of it is done again."""
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from authority import Authority

if sys.argv[1] != "--once":
    while True:
        day = datetime.datetime.now(datetime.timezone.utc).date()
        done = subprocess.run([sys.executable, __file__, "--once", *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
        if datetime.datetime.now(datetime.timezone.utc).date() == day:
            print(done.stdout, end="")
            raise SystemExit(done.returncode)

serve, folder, first, second, records = sys.argv[2:]
tools = os.path.dirname(serve)
folder = pathlib.Path(folder) / "service"
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir()
authority = Authority(folder / "ca")
service_cert = authority.issue("service", "/CN=service", "IP:127.0.0.1")
certs = {name: authority.issue(name, f"/CN={name}/O=Clinic", f"DNS:{name}.example")
         for name in ("north", "south", "east", "west", "revoked")}
settings, audit = folder / "service.toml", folder / "audit.log"


def write(hospitals="", models="", crl=None):
    text = f"""address = "127.0.0.1:0"
status = "127.0.0.1:0"
[tls]
cert = "ca/service.pem"
key = "ca/service.key"
ca = "ca/ca.pem"
crl = "{crl or authority.revoke()}"
[limits]
records = 50
drain = 20
[log]
format = "json"
audit = "audit.log"
[[model]]
name = "first"
program = "{first}"
store = "store"
prepare = 2
{models}
[[hospital]]
name = "North"
certificate = "DNS:north.example"
models = "any"
inferences_a_day = 10
[[hospital]]
name = "South"
certificate = ["O=Clinic,CN=south", "DNS:elsewhere.example"]
models = ["first"]
{hospitals}
"""
    settings.write_text(text)


SECOND = f'[[model]]\nname = "second"\nprogram = "{second}"\n'


def start():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as for a script's background job, which it must not end
    process = subprocess.Popen([f"{tools}/sd-serve", settings], stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    found = {}
    while "listening" not in found:
        line = json.loads(process.stderr.readline())
        found[line["event"]] = line.get("address")
    return process, found["listening"], found["status"]


def ask(name, *options, address=None, program=first):
    cert, key = certs[name]
    done = subprocess.run([f"{tools}/sd-run", "--party", "1", *([program] if program else []), "--address",
                           address or listening, "--tls-cert", cert, "--tls-key", key, "--tls-ca", authority.ca,
                           "--timeout", "30", *options], capture_output=True, text=True, timeout=120, cwd=folder)
    said = (done.stdout.splitlines() or done.stderr.splitlines() or [""])[0]
    print(f"{name}: exit {done.returncode}: {said}", flush=True)


def get(path):
    try:
        with urllib.request.urlopen(f"http://{status}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def wait_for(what, condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise SystemExit(f"{what} did not come")


write(models=SECOND)
service, listening, status = start()
run = ["--input", records]
print("ready:", get("/readyz")[0], "healthy:", get("/healthz")[0])
ask("north", *run)
ask("north", "--model", "second", *run, program=None)
ask("north", "--model", "third", *run, program=None)
ask("south", *run)
ask("south", *run, program=second)
ask("south", "--model", "second", *run, program="other.sdb")
ask("east", *run)
ask("north", "--prepare", "4", "--store", "north-store")
ask("north", "--store", "north-store", *run)
(folder / "many.csv").write_text(open(records).read() * 51)
ask("south", "--input", "many.csv")
(folder / "some.csv").write_text(open(records).read() * 6)
ask("north", "--input", "some.csv")  # 4 of its 10 are used

# Another hospital, no second model, a revoked certificate.
FINGERPRINT = subprocess.run(["openssl", "x509", "-in", certs["west"][0], "-noout", "-fingerprint", "-sha256"],
                             capture_output=True, text=True).stdout.split("=")[1].strip().replace(":", "").lower()
write(hospitals=f'[[hospital]]\nname = "West"\ncertificate = "sha256:{FINGERPRINT}"\nmodels = ["first"]\n'
                '[[hospital]]\nname = "East"\ncertificate = "DNS:east.example"\nmodels = ["first"]\n',
      crl=authority.revoke(certs["east"][0]))

def count(line):
    found = re.search("^" + re.escape(line) + r" (\S+)", get("/metrics")[1], re.M)
    return float(found[1]) if found else 0


for _ in range(2):  # the first would drain the service, the second end it
    service.send_signal(signal.SIGINT)
before = count('sdc_reloads_total{outcome="done"}')
service.send_signal(signal.SIGHUP)
wait_for("reload", lambda: count('sdc_reloads_total{outcome="done"}') > before)
ask("west", *run)
ask("east", *run)
ask("north", *run, program=second)
settings.write_text(settings.read_text() + "[[model]]\nnmae = 3\n")  # noticed without a signal
wait_for("refusal", lambda: count('sdc_reloads_total{outcome="refused"}') > 0)
ask("west", *run)

wait_for("the last session's end", lambda: count('sdc_session_seconds_count{model="first",phase="online"}') == 7)
figures = get("/metrics")[1]
for line in ('sdc_sessions_total{hospital="North",model="first",outcome="served"}',
             'sdc_sessions_total{hospital="South",model="first",outcome="refused"}',
             'sdc_sessions_total{hospital="unknown",model="none",outcome="refused"}',
             'sdc_offline_phases_total{hospital="North",model="first"}', 'sdc_admitted_bytes', "sdc_ready",
             'sdc_session_seconds_count{model="first",phase="online"}'):
    print(line, re.search("^" + re.escape(line) + r" (\S+)", figures, re.M)[1])
print("expiry:", float(re.search(r"^sdc_certificate_expiry_seconds (\S+)", figures, re.M)[1]) > time.time())
service.send_signal(signal.SIGTERM)
log = [json.loads(line) for line in service.stderr.read().splitlines()]
print("service: exit", service.wait(60))
for line in log:
    if line["event"] == "reload" and "error" in line:
        print("reload:", line["error"].splitlines()[-1].split("/")[-1])
session = next(line for line in log if line["event"] == "session" and line["hospital"] == "West")
print("logged:", session["level"], session["subject"], session["model"], session["outcome"], session["records"],
      re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", session["time"]) is not None)

# The day's quota outlives the process, by the audit log.
write()
service, listening, status = start()
ask("north", "--input", "some.csv")
service.send_signal(signal.SIGTERM)
service.communicate()


def verify(*options):
    done = subprocess.run([f"{tools}/sd-audit", "verify", audit, *options], capture_output=True, text=True)
    print(f"audit: exit {done.returncode}:", (done.stdout + done.stderr).strip().split(": ", 1)[-1].split(str(folder))[-1])
    return done.stdout.split()[-1] if done.returncode == 0 else None


last = verify()
lines = audit.read_bytes().splitlines(keepends=True)
begin = next(json.loads(line) for line in lines if b'"South"' in line)
print("audited:", begin["event"], begin["model"], begin["purpose"], begin["announced"], len(begin["weights"]))
audit.write_bytes(b"".join(lines[:-1]))
verify("--seen", last)
audit.write_bytes(b"".join(lines[:1] + lines[2:]))
verify()
audit.write_bytes(b"".join(lines).replace(b'"North"', b'"South"', 1))
verify()
